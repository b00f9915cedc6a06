/*
 * Rows of bits, of which most are alike: a row is a list of pages of 512 bits, and equal pages are
 * stored once, as are equal rows. For classifiers and set indexes, which have a row for each piece
 * of the number line, and where neighbours differ in a bit or two.
 *
 * One row is under construction; bit_pages_intern() stores what it is at that moment. Building:
 * control or compiler thread. Once sealed it is immutable: any thread. No DPDK: vswitch-ctl links
 * it too.
 */
#ifndef VS_BIT_PAGES_H
#define VS_BIT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT_PAGE_BITS  512
#define BIT_PAGE_WORDS (BIT_PAGE_BITS / 64)

/* Of pages and of rows, each. */
#define BIT_PAGES_BYTES_MAX (128u << 20)

/* A cache line. */
struct bit_page {
	uint64_t words[BIT_PAGE_WORDS];
} __attribute__((aligned(64)));

struct bit_pages;

#define BIT_PAGES_NONE UINT32_MAX

/* For rows of so many bits; all of the row under construction are 0. NULL: out of memory. */
struct bit_pages *bit_pages_create(unsigned bits);
void bit_pages_free(struct bit_pages *pages);

/* In the row under construction; bit is less than the bits of a row. */
void bit_pages_set(struct bit_pages *pages, unsigned bit, bool value);
void bit_pages_clear(struct bit_pages *pages);

/*
 * Stores the row under construction, or one page by itself. Returns its number; the same one for
 * the same bits, except that where very many hash alike some are stored twice, so that no input
 * makes this slow. BIT_PAGES_NONE: out of memory or over BIT_PAGES_BYTES_MAX. Page 0 is the empty
 * one, and no other is empty.
 */
uint32_t bit_pages_intern(struct bit_pages *pages);
uint32_t bit_pages_intern_page(struct bit_pages *pages, const struct bit_page *page);

/* Nothing is stored any more: frees what only building needs. */
void bit_pages_seal(struct bit_pages *pages);

/*
 * Numbers of the pages of row i, in order, start at i times bit_pages_row_pages(); pages by number.
 * Good until more is stored, and after sealing for as long as pages is.
 */
unsigned bit_pages_row_pages(const struct bit_pages *pages);
const uint32_t *bit_pages_rows(const struct bit_pages *pages);
const struct bit_page *bit_pages_pages(const struct bit_pages *pages);
unsigned bit_pages_row_count(const struct bit_pages *pages);

/* Bytes that it takes. */
size_t bit_pages_size(const struct bit_pages *pages);

#endif
