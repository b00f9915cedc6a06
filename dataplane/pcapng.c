#include "pcapng.h"

#include <string.h>

#define BLOCK_SECTION   0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET    6
#define BYTE_ORDER      0x1a2b3c4d
#define LINK_ETHERNET   1

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2, /* of an interface */
	OPTION_USER_APPLICATION = 4, /* of a section */
};

#define OPTION_MAX 65535 /* bytes of a value */

static void put(struct pcapng *out, const void *bytes, size_t len)
{
	fwrite(bytes, 1, len, out->file);
}

static void put16(struct pcapng *out, uint16_t v)
{
	put(out, &v, sizeof(v));
}

static void put32(struct pcapng *out, uint32_t v)
{
	put(out, &v, sizeof(v));
}

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~UINT32_C(3);
}

static void put_padded(struct pcapng *out, const void *bytes, uint32_t len)
{
	static const uint8_t zeros[4];

	put(out, bytes, len);
	put(out, zeros, padded(len) - len);
}

static uint16_t text_length(const char *text)
{
	size_t len = strlen(text);

	return len > OPTION_MAX ? OPTION_MAX : (uint16_t)len;
}

static uint32_t option_size(const char *text)
{
	return 4 + padded(text_length(text));
}

static void put_option(struct pcapng *out, enum option option, const char *text)
{
	put16(out, (uint16_t)option);
	put16(out, text_length(text));
	put_padded(out, text, text_length(text));
}

static void put_end(struct pcapng *out)
{
	put16(out, OPTION_END);
	put16(out, 0);
}

void pcapng_begin(struct pcapng *out, FILE *file, const char *application, const char *interface,
	const char *comment)
{
	uint32_t len = 28 + option_size(application) + option_size(comment) + 4;

	out->file = file;
	put32(out, BLOCK_SECTION);
	put32(out, len);
	put32(out, BYTE_ORDER);
	put16(out, 1); /* version 1.0 */
	put16(out, 0);
	put32(out, UINT32_MAX); /* of the section: not said, 64 bits */
	put32(out, UINT32_MAX);
	put_option(out, OPTION_USER_APPLICATION, application);
	put_option(out, OPTION_COMMENT, comment);
	put_end(out);
	put32(out, len);

	len = 20 + option_size(interface) + 4;
	put32(out, BLOCK_INTERFACE);
	put32(out, len);
	put16(out, LINK_ETHERNET);
	put16(out, 0);
	put32(out, PCAPNG_PACKET_MAX); /* snapshot length; times are in microseconds unless said */
	put_option(out, OPTION_IF_NAME, interface);
	put_end(out);
	put32(out, len);
}

void pcapng_packet(struct pcapng *out, uint64_t time_us, const uint8_t *bytes, uint32_t len,
	const char *comment)
{
	uint32_t size = 32 + padded(len) + option_size(comment) + 4;

	put32(out, BLOCK_PACKET);
	put32(out, size);
	put32(out, 0); /* interface */
	put32(out, (uint32_t)(time_us >> 32));
	put32(out, (uint32_t)time_us);
	put32(out, len); /* captured, and on the wire */
	put32(out, len);
	put_padded(out, bytes, len);
	put_option(out, OPTION_COMMENT, comment);
	put_end(out);
	put32(out, size);
}
