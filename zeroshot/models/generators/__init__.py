"""Class-conditional generators: z and a class index in, an image out. Uses storage and what models has beside it."""
