"""
What the files below some folders make: the campaign that `psfalign campaign` writes.

Files are found, looked at, told apart by the folders of processing steps that they lie in, and
then made into exposures: by the associations among them, and the rest by their headers. Whatever
is not used is remarked upon.
"""
