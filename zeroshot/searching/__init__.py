"""Algorithm 1 and what it rests on: draws, engine, pool. Uses models and storage; knows no world and no run."""
