#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

static struct {
	int fd;
	struct sockaddr_un addr;
	socklen_t addr_len;
	bool ready;
	uint64_t watchdog_ms;
	uint64_t watchdog_sent_ms;
	char status[256];
} notify = {.fd = -1};

static uint64_t number(const char *text)
{
	return text == NULL ? 0 : strtoull(text, NULL, 10);
}

void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *pid = getenv("WATCHDOG_PID");
	size_t len = path == NULL ? 0 : strlen(path);

	/* A path, or with '@' a name in the abstract namespace, which has no closing NUL. */
	if (len < 2 || (path[0] != '/' && path[0] != '@') || len >= sizeof(notify.addr.sun_path))
		return;
	notify.addr.sun_family = AF_UNIX;
	memcpy(notify.addr.sun_path, path, len + 1);
	notify.addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (path[0] == '@') {
		notify.addr.sun_path[0] = '\0';
		notify.addr_len--;
	}
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (pid == NULL || number(pid) == (uint64_t)getpid())
		notify.watchdog_ms = number(getenv("WATCHDOG_USEC")) / 2000;
}

void notify_close(void)
{
	if (notify.fd >= 0)
		close(notify.fd);
	memset(&notify, 0, sizeof(notify));
	notify.fd = -1;
}

/* A manager that does not listen is no reason to stop switching: what fails is not repeated. */
static void send_text(const char *text)
{
	if (notify.fd >= 0 && sendto(notify.fd, text, strlen(text), MSG_NOSIGNAL,
				      (const struct sockaddr *)&notify.addr, notify.addr_len) < 0)
		notify.status[0] = '\0'; /* so that the next one is sent again, even if the same */
}

void notify_ready(void)
{
	if (!notify.ready)
		send_text("READY=1\n");
	notify.ready = true;
}

void notify_stopping(void)
{
	send_text("STOPPING=1\n");
}

void notify_status(const char *fmt, ...)
{
	char status[sizeof(notify.status)], text[sizeof(notify.status) + 16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(status, sizeof(status), fmt, ap);
	va_end(ap);
	for (char *c = status; *c != '\0'; c++) {
		if (*c == '\n')
			*c = ' '; /* a newline would begin another assignment */
	}
	if (strcmp(status, notify.status) == 0)
		return;
	strcpy(notify.status, status);
	snprintf(text, sizeof(text), "STATUS=%s\n", status);
	send_text(text);
}

uint64_t notify_watchdog_ms(void)
{
	return notify.fd < 0 ? 0 : notify.watchdog_ms;
}

void notify_watchdog(void)
{
	notify.watchdog_sent_ms = loop_now_ms();
	send_text("WATCHDOG=1\n");
}

void notify_progress(void)
{
	uint64_t every = notify_watchdog_ms();

	if (every > 0 && loop_now_ms() - notify.watchdog_sent_ms >= every)
		notify_watchdog();
}
