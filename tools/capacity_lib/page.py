def library(): pass
def write(d,p): pass
