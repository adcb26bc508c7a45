"""What values are, compared and made small: pure functions that ranks and front ends share.

A rank describes its value in a few hundred bytes (`describe`), whatever its size; a front end groups the descriptions
(`comparing`) and asks further only about the odd ones. NumPy is used where the user's values are NumPy's, nowhere else.
No I/O, no threads, no clock.
"""
