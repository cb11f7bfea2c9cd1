"""Class-conditional generators: z and a class index in, an image out."""
