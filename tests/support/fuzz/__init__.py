"""Whole valid conversations on every port, bent on purpose, and what must hold all along.

    mutations    how octets are bent: the same for every grammar
    requests     a grammar of what clients of HTTP/1 say
    links        a grammar of what either end of a link says
    players      each plays one conversation against a real socket
    campaign     players by the dozen, good requests alongside, and the accounts in the end
    app          the application of the workers: it never fails

Everything follows from a seed and a number, so that what is found can be played again.
"""
