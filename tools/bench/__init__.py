"""The benchmark: pyxnn and its peers in one browser. `./build.sh bench --help` says what it takes."""
