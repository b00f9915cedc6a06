/*
 * Runs a fuzz target once on each file that is named: its seeds, and inputs that once broke it, as
 * part of the tests and without clang.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file in a block of just its size; NULL with a message. */
static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long end;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0) {
		*size = (size_t)end;
		data = malloc(*size > 0 ? *size : 1);
		rewind(file);
		if (data != NULL && fread(data, 1, *size, file) != *size) {
			free(data);
			data = NULL;
		}
	}
	if (data == NULL)
		perror(path);
	if (file != NULL)
		fclose(file);
	return data;
}

int main(int argc, char **argv)
{
	if (LLVMFuzzerInitialize != NULL && LLVMFuzzerInitialize(&argc, &argv) != 0)
		return 1;
	for (int i = 1; i < argc; i++) {
		size_t size;
		uint8_t *data = read_file(argv[i], &size);

		if (data == NULL)
			return 1;
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	printf("%d seeds\n", argc - 1);
	return 0;
}
