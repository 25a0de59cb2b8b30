"""The lessons: percent-format files, which run as scripts and open as notebooks; `tinyslim.course` reads them."""
