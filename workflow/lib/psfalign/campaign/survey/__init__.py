"""
Find a campaign in the files of folders, for `psfalign campaign`.

Files are found, read, and distinguished by the processing step of their folder. Then exposures are
made from the associations among them, and from the headers of the others. All files that are not
used get a remark.
"""
