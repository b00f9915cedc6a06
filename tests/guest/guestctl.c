/*
 * Runs on the host beside a test: speaks to one QEMU guest, over the serial line where the agent
 * listens (agent.c has the protocol) and over QEMU's monitor (QMP). Every wait is bounded.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#define EXIT_NO_ANSWER 125
#define COMMAND_MAX    16000 /* bytes; two digits a byte must fit the agent's line */
#define PING_MS        200
#define GRACE_SEC      20 /* for the answer, beyond the time that the command itself may take */

struct line_reader {
	int fd;
	size_t start, end;
	char data[1 << 20];
};

static struct line_reader reader;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Connects reader to the socket at path; tries until the deadline, since QEMU may just be starting.
 */
static bool open_socket(const char *path, double deadline)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path)) {
		fprintf(stderr, "guestctl: %s: path too long for a socket\n", path);
		return false;
	}
	strcpy(to.sun_path, path);
	for (;;) {
		reader.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(reader.fd, (struct sockaddr *)&to, sizeof(to)))
			return true;
		if (now() > deadline)
			break;
		close(reader.fd);
		poll(NULL, 0, 20);
	}
	fprintf(stderr, "guestctl: %s: %s\n", path, strerror(errno));
	return false;
}

/* The next line without its newline, valid until the next call; NULL at the deadline or the end. */
static char *read_line(double deadline)
{
	for (;;) {
		char *from = reader.data + reader.start;
		char *end = memchr(from, '\n', reader.end - reader.start);
		struct pollfd fd = {.fd = reader.fd, .events = POLLIN};
		double left = deadline - now();
		ssize_t n;

		if (end) {
			*end = '\0';
			reader.start = end + 1 - reader.data;
			return from;
		}
		memmove(reader.data, from, reader.end - reader.start);
		reader.end -= reader.start;
		reader.start = 0;
		if (reader.end == sizeof(reader.data))
			reader.end = 0;
		if (left <= 0 || poll(&fd, 1, left * 1000 + 1) <= 0)
			return NULL;
		n = read(reader.fd, reader.data + reader.end, sizeof(reader.data) - reader.end);
		if (n <= 0)
			return NULL;
		reader.end += n;
	}
}

static bool write_all(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(reader.fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

/* What follows "@ID KIND " where line is an answer to us of that kind; else NULL. */
static const char *answer(const char *line, const char *id, char kind)
{
	size_t len = strlen(id);

	if (line[0] != '@' || strncmp(line + 1, id, len) || line[len + 1] != ' ' ||
		line[len + 2] != kind)
		return NULL;
	return line + len + 3 + (line[len + 3] == ' ');
}

/* Asks until the agent answers: what is sent to a guest that is not up yet is lost. */
static bool agent_up(const char *id, double deadline)
{
	char ping[64];

	snprintf(ping, sizeof(ping), "\n@%s p\n", id);
	while (now() < deadline) {
		double next = now() + PING_MS / 1e3;
		char *line;

		if (!write_all(ping))
			return false;
		while ((line = read_line(next < deadline ? next : deadline)))
			if (answer(line, id, 'u'))
				return true;
	}
	return false;
}

static void put_output(const char *hex)
{
	unsigned value;

	for (; sscanf(hex, "%2x", &value) == 1 && hex[0] && hex[1]; hex += 2)
		putchar(value);
	fflush(stdout);
}

static int no_answer(const char *path)
{
	fprintf(stderr, "guestctl: %s: no answer from the guest\n", path);
	return EXIT_NO_ANSWER;
}

/* The exit status of command, run in the guest for at most so many seconds. */
static int run(const char *path, int seconds, const char *command)
{
	double deadline = now() + seconds + GRACE_SEC;
	char id[32], request[2 * COMMAND_MAX + 128];
	const char *rest;
	char *line;
	int len;

	if (strlen(command) > COMMAND_MAX) {
		fprintf(stderr, "guestctl: command longer than %d bytes\n", COMMAND_MAX);
		return EXIT_NO_ANSWER;
	}
	snprintf(id, sizeof(id), "%d.%ld", getpid(), (long)time(NULL));
	if (!open_socket(path, deadline) || !agent_up(id, deadline))
		return no_answer(path);
	strcat(id, "r");
	len = snprintf(request, sizeof(request), "@%s r %d ", id, seconds);
	for (const char *at = command; *at; at++)
		len += sprintf(request + len, "%02x", (unsigned char)*at);
	strcpy(request + len, "\n");
	if (!write_all(request))
		return no_answer(path);
	while ((line = read_line(deadline))) {
		rest = answer(line, id, 'o');
		if (rest)
			put_output(rest);
		rest = answer(line, id, 'x');
		if (rest)
			return atoi(rest);
	}
	return no_answer(path);
}

static int wait_up(const char *path, int seconds)
{
	double deadline = now() + seconds;
	char id[32];

	snprintf(id, sizeof(id), "%d.%ld", getpid(), (long)time(NULL));
	if (open_socket(path, deadline) && agent_up(id, deadline))
		return 0;
	return no_answer(path);
}

static bool has_event(json_t *message, const char *event)
{
	const char *name = json_string_value(json_object_get(message, "event"));

	return name && !strcmp(name, event);
}

/*
 * Reads QMP messages up to the answer to our command, whose reference the caller gets, and up to
 * event where one is named. NULL at the deadline.
 */
static json_t *qmp_answer(const char *event, double deadline)
{
	json_t *result = NULL;
	bool seen = !event;
	char *line;

	while ((!result || !seen) && (line = read_line(deadline))) {
		json_t *message = json_loads(line, 0, NULL);

		if (event && has_event(message, event))
			seen = true;
		if (json_object_get(message, "return") || json_object_get(message, "error"))
			result = json_incref(message);
		json_decref(message);
		if (result && json_object_get(result, "error"))
			return result;
	}
	if (result && seen)
		return result;
	json_decref(result);
	return NULL;
}

/* Prints what the command returns. With event, waits until QEMU reports it. */
static int qmp(const char *path, int seconds, const char *command, const char *event)
{
	double deadline = now() + seconds;
	json_t *message = NULL, *error;
	bool asked;

	if (!open_socket(path, deadline))
		return EXIT_NO_ANSWER;
	asked = write_all("{\"execute\":\"qmp_capabilities\"}\n");
	if (asked)
		message = qmp_answer(NULL, deadline);
	json_decref(message);
	if (message && write_all(command) && write_all("\n"))
		message = qmp_answer(event, deadline);
	else
		message = NULL;
	if (!message) {
		fprintf(stderr, "guestctl: %s: no answer from QEMU to %s\n", path, command);
		return EXIT_NO_ANSWER;
	}
	error = json_object_get(message, "error");
	if (error)
		fprintf(stderr, "guestctl: %s: %s\n", command,
			json_string_value(json_object_get(error, "desc")));
	else
		json_dumpf(
			json_object_get(message, "return"), stdout, JSON_ENCODE_ANY | JSON_COMPACT);
	putchar('\n');
	json_decref(message);
	return error ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: guestctl run SERIAL SECONDS COMMAND      exit code: the command's; 124: "
		"it\n"
		"                                                took too long; 125: no answer\n"
		"       guestctl wait SERIAL SECONDS             until the guest is up\n"
		"       guestctl qmp MONITOR SECONDS JSON [EVENT]  a QMP command, and wait for "
		"EVENT\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "run"))
		return run(argv[2], atoi(argv[3]), argv[4]);
	if (argc == 4 && !strcmp(argv[1], "wait"))
		return wait_up(argv[2], atoi(argv[3]));
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "qmp"))
		return qmp(argv[2], atoi(argv[3]), argv[4], argv[5]);
	return usage();
}
