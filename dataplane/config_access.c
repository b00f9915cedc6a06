#include "config_access.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_types.h"

#define ID_MAX 4294967294 /* the one above means "none" to chown() */

static bool decode_mode(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	size_t len = text ? strlen(text) : 0;

	(void)field;
	/* A bare 660 is refused: nobody can tell whether it is meant as octal. */
	if (len < 3 || len > 4 || strspn(text, "01234567") != len || (len == 4 && text[0] != '0'))
		return config_type_bad(
			context, "permission bits in octal, such as \"0660\"", value);
	*(int *)to = (int)strtol(text, NULL, 8);
	return true;
}

static json_t *encode_mode(const struct config_field *field, const void *from)
{
	int mode = *(const int *)from;

	(void)field;
	return mode < 0 ? NULL : json_sprintf("0%03o", (unsigned)mode);
}

static void reset_id(const struct config_field *field, void *to)
{
	(void)field;
	*(uint32_t *)to = (uint32_t)-1;
}

static const struct config_type config_type_mode = {decode_mode, encode_mode, reset_id};

/* The number that value is, as an integer or in digits; -1 where it is none or too large. */
static int64_t id_number(const json_t *value)
{
	const char *text = config_type_text(value);
	int64_t id = -1;

	if (json_is_integer(value))
		id = json_integer_value(value);
	else if (text && *text && strlen(text) <= 10 && !text[strspn(text, "0123456789")])
		id = strtoll(text, NULL, 10);
	return id >= 0 && id <= ID_MAX ? id : -1;
}

static bool decode_user(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	const struct passwd *user = text && *text ? getpwnam(text) : NULL;
	int64_t id = user ? (int64_t)user->pw_uid : id_number(value);

	(void)field;
	if (id < 0)
		return config_type_bad(
			context, "a user that this host knows (getent passwd), or a number", value);
	*(uid_t *)to = (uid_t)id;
	return true;
}

/* By name where the name leads back to the number. */
static json_t *encode_user(const struct config_field *field, const void *from)
{
	uid_t uid = *(const uid_t *)from;
	const struct passwd *user = uid == (uid_t)-1 ? NULL : getpwuid(uid);
	json_t *name = user ? json_string(user->pw_name) : NULL;

	(void)field;
	if (uid == (uid_t)-1)
		return NULL;
	user = name ? getpwnam(json_string_value(name)) : NULL;
	if (user && user->pw_uid == uid)
		return name;
	json_decref(name);
	return json_integer(uid);
}

static const struct config_type config_type_user = {decode_user, encode_user, reset_id};

static bool decode_group(struct config_context *context, const struct config_field *field,
	const json_t *value, void *to)
{
	const char *text = config_type_text(value);
	const struct group *group = text && *text ? getgrnam(text) : NULL;
	int64_t id = group ? (int64_t)group->gr_gid : id_number(value);

	(void)field;
	if (id < 0)
		return config_type_bad(
			context, "a group that this host knows (getent group), or a number", value);
	*(gid_t *)to = (gid_t)id;
	return true;
}

static json_t *encode_group(const struct config_field *field, const void *from)
{
	gid_t gid = *(const gid_t *)from;
	const struct group *group = gid == (gid_t)-1 ? NULL : getgrgid(gid);
	json_t *name = group ? json_string(group->gr_name) : NULL;

	(void)field;
	if (gid == (gid_t)-1)
		return NULL;
	group = name ? getgrnam(json_string_value(name)) : NULL;
	if (group && group->gr_gid == gid)
		return name;
	json_decref(name);
	return json_integer(gid);
}

static const struct config_type config_type_group = {decode_group, encode_group, reset_id};

static const struct config_field access_fields[] = {
	{.name = "owner",
		.type = &config_type_user,
		.help = "a user's name or number",
		.offset = offsetof(struct config_access, owner),
		.size = sizeof(uid_t)},
	{.name = "group",
		.type = &config_type_group,
		.help = "a group's name or number",
		.offset = offsetof(struct config_access, group),
		.size = sizeof(gid_t)},
	{.name = "mode",
		.type = &config_type_mode,
		.help = "permission bits in octal, such as \"0660\"",
		.offset = offsetof(struct config_access, mode),
		.size = sizeof(int)},
	{0},
};

const struct config_table config_access_table = {"who may use a file", access_fields, NULL};
