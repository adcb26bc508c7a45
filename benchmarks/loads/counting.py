"""A rank that counts its steps, a few frames deep."""


def step(values, count):
    """Do some work in Python."""
    total = 0.0
    for value in values:
        total += value * count
    return total


def main():
    """Count for ever."""
    values = [float(number) for number in range(1000)]
    count = 0
    result = 0.0
    while True:
        count += 1
        result = step(values, count) - result


main()
