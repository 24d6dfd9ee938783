/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text to socket address and back, and the three system calls around it.  What a
 * newcomer would get wrong: sun_path holds 107 characters, and a stale Unix
 * socket may be removed only after asking whether anybody answers there.
 */
#include "core/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(char *why, size_t why_size, const char *text, const char *want)
{
	snprintf(why, why_size, "\"%.200s\" is not an address: %s", text, want);
	return MUSES_ECONFIG;
}

static bool parse_port(const char *text, enum core_address_use use, in_port_t *port)
{
	unsigned value = 0;
	size_t length = strlen(text);

	if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
		return false;
	for (const char *p = text; *p != '\0'; p++)
		value = value * 10 + (unsigned)(*p - '0');
	if (value > 65535 || (value == 0 && use == CORE_ADDRESS_CONNECT))
		return false;
	*port = htons((in_port_t)value);
	return true;
}

int core_address_from_path(struct core_address *a, const char *path, const char *folder,
                           char *why, size_t why_size)
{
	bool relative = path[0] != '/' && folder != NULL;
	int length = snprintf(a->path, sizeof(a->path), "%s%s%s", relative ? folder : "",
	                      relative ? "/" : "", path);

	a->family = AF_UNIX;
	if (path[0] == '\0')
		return refuse(why, why_size, "unix:", "a path has to follow \"unix:\"");
	if (length < 0 || (size_t)length >= sizeof(a->path)) {
		snprintf(
			why, why_size,
			"\"%.60s...\" is too long for a path: want at most %d characters",
			path, CORE_ADDRESS_PATH_MAX);
		return MUSES_ECONFIG;
	}
	return 0;
}

int core_address_parse(struct core_address *a, const char *text,
                       enum core_address_use use, const char *folder, char *why,
                       size_t why_size)
{
	static const char want[] = "want \"127.0.0.1:22\", \"[::1]:22\" or \"unix:PATH\"";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN];
	size_t length;
	bool v6 = text[0] == '[';

	memset(a, 0, sizeof(*a));
	if (strncmp(text, "unix:", 5) == 0)
		return core_address_from_path(a, text + 5, folder, why, why_size);
	if (colon == NULL)
		return refuse(why, why_size, text, want);
	length = (size_t)(colon - text);
	if (v6 && (length < 2 || text[length - 1] != ']'))
		return refuse(why, why_size, text, want);
	length -= v6 ? 2 : 0;
	if (length >= sizeof(host))
		return refuse(why, why_size, text, want);
	memcpy(host, text + v6, length);
	host[length] = '\0';
	a->family = v6 ? AF_INET6 : AF_INET;
	a->ip.any.sa_family = (sa_family_t)a->family;
	if (inet_pton(a->family, host,
	              v6 ? (void *)&a->ip.v6.sin6_addr : (void *)&a->ip.v4.sin_addr) != 1)
		return refuse(why, why_size, text,
		              "want an IP address in figures, not a name, as in "
		              "\"127.0.0.1:22\" or \"[::1]:22\"");
	if (!parse_port(colon + 1, use, v6 ? &a->ip.v6.sin6_port : &a->ip.v4.sin_port))
		return refuse(why, why_size, text,
		              use == CORE_ADDRESS_CONNECT
		                      ? "want a port from 1 to 65535"
		                      : "want a port from 0 to 65535");
	return 0;
}

static socklen_t ip_size(const struct core_address *a)
{
	return a->family == AF_INET6 ? sizeof(a->ip.v6) : sizeof(a->ip.v4);
}

void core_address_text(const struct core_address *a, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	switch (a->family) {
	case AF_UNIX:
		snprintf(text, size, "unix:%s", a->path);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->ip.v6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(a->ip.v6.sin6_port));
		break;
	default:
		inet_ntop(AF_INET, &a->ip.v4.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(a->ip.v4.sin_port));
	}
}

bool core_address_local(const struct core_address *a)
{
	switch (a->family) {
	case AF_UNIX:
		return true;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&a->ip.v6.sin6_addr);
	default:
		return (ntohl(a->ip.v4.sin_addr.s_addr) >> 24) == 127;
	}
}

/* ---- Unix paths ----------------------------------------------------------- */

/* What to hand to bind() and connect().  A path too long for sun_path goes by way
 * of its open folder, *folder, which the caller closes; -1: not needed. */
static int local_name(const struct core_address *a, struct sockaddr_un *sun, int *folder)
{
	size_t length = strlen(a->path);
	const char *slash = strrchr(a->path, '/');
	char parent[CORE_ADDRESS_PATH_MAX + 1];
	int written;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	*folder = -1;
	if (length < sizeof(sun->sun_path)) {
		memcpy(sun->sun_path, a->path, length + 1);
		return 0;
	}
	if (slash == NULL || slash == a->path) {
		errno = ENAMETOOLONG;
		return MUSES_ESYSTEM;
	}
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - a->path), a->path);
	*folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return MUSES_ESYSTEM;
	written = snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s",
	                   *folder, slash + 1);
	if (written < 0 || (size_t)written >= sizeof(sun->sun_path)) {
		close(*folder);
		*folder = -1;
		errno = ENAMETOOLONG;
		return MUSES_ESYSTEM;
	}
	return 0;
}

static void put_away(int fd)
{
	int kept = errno;

	if (fd >= 0)
		close(fd);
	errno = kept;
}

/* Does anybody answer on a socket that stands at this path? */
static bool answered(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 &&
	          errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* Make way for a socket at path, if what stands there is a dead one of ours. */
static int make_way(const char *path, const struct sockaddr_un *sun, char *why,
                    size_t why_size)
{
	const char *what = NULL;
	struct stat st;

	if (lstat(path, &st) != 0)
		return 0; /* Nothing there; or bind() will say what is wrong. */
	if (S_ISLNK(st.st_mode))
		what = "a symbolic link stands there";
	else if (!S_ISSOCK(st.st_mode))
		what = "something that is not a socket stands there";
	else if (st.st_uid != geteuid())
		what = "the socket there belongs to another user";
	else if (answered(sun))
		what = "another program answers there";
	if (what == NULL && unlink(path) != 0 && errno != ENOENT)
		what = strerror(errno);
	if (what == NULL)
		return 0;
	snprintf(why, why_size, "cannot listen on unix:%s: %s", path, what);
	return MUSES_ESYSTEM;
}

static int listen_local(const struct core_address *a, int fd, char *why, size_t why_size)
{
	struct sockaddr_un sun;
	mode_t mask;
	int folder, err;

	if (local_name(a, &sun, &folder) != 0)
		return MUSES_ESYSTEM;
	err = make_way(a->path, &sun, why, why_size);
	if (err == 0) {
		/* The mode is right from the first instant: nobody slips in before a
		 * chmod(). */
		mask = umask(0177);
		err = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ? MUSES_ESYSTEM
		                                                          : 0;
		umask(mask);
	}
	put_away(folder);
	return err;
}

int core_address_listen(const struct core_address *a, int backlog, char *why,
                        size_t why_size)
{
	int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[256];
	int one = 1;

	core_address_text(a, text, sizeof(text));
	why[0] = '\0';
	if (fd < 0)
		goto fail;
	if (a->family == AF_UNIX) {
		if (listen_local(a, fd, why, why_size) != 0)
			goto fail;
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (a->family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		if (bind(fd, &a->ip.any, ip_size(a)) != 0)
			goto fail;
	}
	if (listen(fd, backlog) != 0)
		goto fail;
	return fd;
fail:
	if (why[0] == '\0')
		snprintf(why, why_size, "cannot listen on %s: %s", text, strerror(errno));
	put_away(fd);
	return MUSES_ESYSTEM;
}

void core_address_bound(int fd, const struct core_address *a, char *text, size_t size)
{
	struct core_address bound = { .family = a->family };
	socklen_t length = sizeof(bound.ip);

	if (a->family != AF_UNIX && getsockname(fd, &bound.ip.any, &length) == 0)
		core_address_text(&bound, text, size);
	else
		core_address_text(a, text, size);
}

void core_address_unlisten(const struct core_address *a, int fd)
{
	struct sockaddr_un sun;
	struct stat st;
	int folder;

	if (a->family != AF_UNIX || fd < 0)
		return;
	/* Nobody answers on a socket of ours that does not listen any more.  If
	 * somebody does, another node has taken the path over. */
	shutdown(fd, SHUT_RDWR);
	if (lstat(a->path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid() ||
	    local_name(a, &sun, &folder) != 0)
		return;
	if (!answered(&sun))
		unlink(a->path);
	put_away(folder);
}

/* ---- connecting ----------------------------------------------------------- */

static int connect_error(int system)
{
	switch (system) {
	case ECONNREFUSED:
	case ENOENT:
		return MUSES_EREFUSED;
	case EAGAIN:
		return MUSES_EAGAIN;
	default:
		return MUSES_ESYSTEM;
	}
}

int core_address_connect(const struct core_address *a, bool *connecting, char *why,
                         size_t why_size)
{
	int fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun;
	char text[256];
	int folder = -1, result, err;

	*connecting = false;
	if (fd < 0)
		goto fail;
	if (a->family == AF_UNIX) {
		if (local_name(a, &sun, &folder) != 0)
			goto fail;
		result = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
		put_away(folder);
	} else {
		result = connect(fd, &a->ip.any, ip_size(a));
	}
	if (result != 0 && errno != EINPROGRESS)
		goto fail;
	*connecting = result != 0;
	return fd;
fail:
	err = connect_error(errno);
	core_address_text(a, text, sizeof(text));
	snprintf(why, why_size, "cannot connect to %s: %s", text, strerror(errno));
	put_away(fd);
	return err;
}
