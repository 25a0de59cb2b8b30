"""The lessons: percent-format Python files, which run as scripts and open as notebooks; `tinyslim.course` reads them."""
