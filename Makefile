BPF_CLANG ?= clang
BPF_CFLAGS := -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -ISources/CBPF/include -I/usr/include/$(shell uname -m)-linux-gnu

build/mizar.bpf.o: $(wildcard bpf/*.c bpf/*.h) Sources/CBPF/include/mizar_abi.h
	@mkdir -p build
	$(BPF_CLANG) $(BPF_CFLAGS) -c bpf/mizar.bpf.c -o $@
