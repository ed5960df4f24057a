"""The watch over a node's cards: reads them in threads, keeps the pool, says what became of it; agents share it."""
