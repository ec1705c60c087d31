module dataforge-registry/bench/load

go 1.23
