"""tinyslim: how model compression works, from a Python loop to an int8 MobileNet, in code that can be read and run."""
