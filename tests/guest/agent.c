/*
 * Runs inside a test guest: carries out commands that guestctl on the host sends over a serial
 * line. A line protocol that survives lost and foreign bytes, since either end may start, stop or
 * be reset at any moment; a line that is not understood is ignored.
 *
 *	host to guest:	@ID p			are you there?
 *			@ID r SECONDS HEX	run HEX, a command for sh, killed after SECONDS
 *	guest to host:	@ID u			yes; not the line that was asked, as a terminal
 *						that is not set up yet echoes that
 *			@ID o HEX		output, both stdout and stderr
 *			@ID x STATUS		end; 124: killed for its time, 128 + n: by signal n
 *
 * One command at a time: a new one kills the one before, whose asker has gone away.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define OUTPUT_BYTES   512
#define TICK_MS        20 /* looks for the end of a command whose output is held open */
#define TICK_CLOSED_MS 2 /* the same once it is closed */

static int tty;
static char line[LINE_MAX_BYTES];
static size_t line_len;

static struct {
	pid_t pid; /* also its process group; 0: nothing runs */
	int output; /* -1: the command has closed it */
	char id[32];
	time_t deadline;
} job;

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void say(const char *id, char kind, const char *text)
{
	dprintf(tty, "@%s %c %s\n", id, kind, text);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(char *text)
{
	char *to = text;

	for (; text[0]; text += 2) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return false;
		*to++ = high << 4 | low;
	}
	*to = '\0';
	return true;
}

static void job_start(const char *id, int seconds, const char *command)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC))
		return;
	job.pid = fork();
	if (job.pid == 0) {
		setsid();
		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(pipe_fds[1], STDOUT_FILENO);
		dup2(pipe_fds[1], STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(pipe_fds[1]);
	if (job.pid < 0) {
		close(pipe_fds[0]);
		job.pid = 0;
		return;
	}
	job.output = pipe_fds[0];
	fcntl(job.output, F_SETFL, O_NONBLOCK);
	job.deadline = now() + seconds;
	snprintf(job.id, sizeof(job.id), "%s", id);
}

/* Passes on what the command has written; false at the end of its output. */
static bool job_output(void)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[OUTPUT_BYTES];
	char text[2 * OUTPUT_BYTES + 1];
	ssize_t n;

	while ((n = read(job.output, raw, sizeof(raw))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			text[2 * i] = digits[raw[i] >> 4];
			text[2 * i + 1] = digits[raw[i] & 15];
		}
		text[2 * n] = '\0';
		say(job.id, 'o', text);
		if (now() > job.deadline)
			break;
	}
	return n != 0;
}

static void job_close(void)
{
	if (job.output >= 0)
		close(job.output);
	job.output = -1;
}

static void job_end(int status)
{
	char text[16];

	job_close();
	job.pid = 0;
	snprintf(text, sizeof(text), "%d", status);
	say(job.id, 'x', text);
}

static void job_kill(void)
{
	kill(-job.pid, SIGKILL);
	kill(job.pid, SIGKILL); /* it may not have made its group yet */
	waitpid(job.pid, NULL, 0);
	job_end(124);
}

/*
 * The end of the shell is the end of the job, although a process that it left in the background
 * may still hold the pipe open.
 */
static void job_check(void)
{
	int status;

	if (waitpid(job.pid, &status, WNOHANG) == job.pid) {
		if (job.output >= 0)
			job_output();
		job_end(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	} else if (now() > job.deadline) {
		job_kill();
	}
}

static void take_line(char *text)
{
	char *save, *id = strtok_r(text, " ", &save), *kind = strtok_r(NULL, " ", &save);
	char *seconds, *command;

	if (!kind || id[0] != '@' || kind[1])
		return;
	if (*kind == 'p')
		say(id + 1, 'u', "");
	if (*kind != 'r')
		return;
	seconds = strtok_r(NULL, " ", &save);
	command = strtok_r(NULL, " ", &save);
	if (!command || !unhex(command))
		return;
	if (job.pid)
		job_kill();
	job_start(id + 1, atoi(seconds), command);
}

static void take_input(void)
{
	ssize_t n = read(tty, line + line_len, sizeof(line) - line_len);
	char *end, *start = line;

	if (n <= 0)
		exit(1);
	line_len += n;
	while ((end = memchr(start, '\n', line + line_len - start))) {
		*end = '\0';
		take_line(start);
		start = end + 1;
	}
	line_len -= start - line;
	memmove(line, start, line_len);
	if (line_len == sizeof(line))
		line_len = 0;
}

static int open_tty(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (fd < 0 || tcgetattr(fd, &raw))
		return -1;
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&raw, B115200);
	return tcsetattr(fd, TCSAFLUSH, &raw) ? -1 : fd;
}

int main(int argc, char **argv)
{
	tty = open_tty(argc > 1 ? argv[1] : "/dev/ttyS1");
	if (tty < 0) {
		fprintf(stderr, "agent: %s\n", strerror(errno));
		return 1;
	}
	for (;;) {
		struct pollfd fds[2] = {{.fd = tty, .events = POLLIN},
			{.fd = job.pid ? job.output : -1, .events = POLLIN}};

		if (poll(fds, 2,
			    !job.pid         ? -1
			    : job.output < 0 ? TICK_CLOSED_MS
					     : TICK_MS) < 0 &&
			errno != EINTR)
			return 1;
		if (fds[0].revents)
			take_input();
		if (job.pid && job.output == fds[1].fd && fds[1].revents && !job_output())
			job_close();
		if (job.pid)
			job_check();
	}
}
