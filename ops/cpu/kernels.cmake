# Our own CPU kernels are compiled once per instruction set; the program chooses when it runs.
