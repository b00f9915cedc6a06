#include "help.h"

#include <string.h>

#define SYNOPSIS_MAX 256

struct line {
	const char *name, *text;
};

static const struct line options[] = {
	{"-j, --json", "Print the result as JSON, errors too."},
	{"-s, --socket SOCKET", "vswitchd's control socket; else what VSWITCH_SOCKET says, else "
				"/run/vswitch/ctl.sock."},
	{"--timeout TIME", "Give up waiting for vswitchd after that time, such as 5s; else 60s."},
	{"-h, --help", "Print help, for a command if one is given."},
	{"--version", "Print the version."},
};

static const struct line exit_codes[] = {
#define EXIT_CODE(name, number, text) {#number, text},
#include "exit_codes.def"
#undef EXIT_CODE
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void lines(FILE *out, const struct line *list, size_t n, int width)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-*s  %s\n", width, list[i].name, list[i].text);
}

void help_overview(FILE *out)
{
	fputs("usage: vswitch-ctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	      "Configures vswitchd and asks it. Words of a command may be cut short while they "
	      "are\n"
	      "unambiguous. `vswitch-ctl help COMMAND` says more about one.\n\n",
		out);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-20s  %s\n", commands[i].words, commands[i].help);
	fputs("\nOptions, at any place:\n", out);
	lines(out, options, COUNT(options), 20);
	fputs("\nExit status:\n", out);
	lines(out, exit_codes, COUNT(exit_codes), 3);
}

/* "NAME", "--name TIME" or "name TIME". */
static void arg_title(const struct command_arg *arg, char *text, size_t len)
{
	char value[40];

	command_placeholder(arg, value, sizeof(value));
	if (arg->place == ARG_OPTION)
		snprintf(text, len, "--%s%s%s", arg->name, value[0] != '\0' ? " " : "", value);
	else if (arg->place == ARG_KEYWORD)
		snprintf(text, len, "%s %s", arg->name, value);
	else
		snprintf(text, len, "%s", value);
}

/* text in lines of at most 76 characters. */
static void wrapped(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (column > 0 && column + 1 + word > 76) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%.*s", column > 0 ? " " : "", (int)word, text);
		column += word + (column > 0);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

void help_command(FILE *out, const struct command *command)
{
	char text[SYNOPSIS_MAX];

	command_synopsis(command, text, sizeof(text));
	fprintf(out, "usage: vswitch-ctl %s\n\n%s.\n", text, command->help);
	if (command->more != NULL) {
		fputc('\n', out);
		wrapped(out, command->more);
	}
	if (command->args[0].name != NULL)
		fputc('\n', out);
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		arg_title(&command->args[i], text, sizeof(text));
		fprintf(out, "  %-22s  %s\n", text, command->args[i].help);
	}
}

/* Roff has its own ideas about backslashes, hyphens, and dots and quotes that begin a line. */
static void roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

/* A paragraph with a tag. */
static void roff_tagged(FILE *out, const char *tag, const char *text)
{
	fputs(".TP\n.B ", out);
	roff(out, tag);
	fputc('\n', out);
	roff(out, text);
	fputc('\n', out);
}

static void roff_command(FILE *out, const struct command *command)
{
	char text[SYNOPSIS_MAX];

	command_synopsis(command, text, sizeof(text));
	fputs(".SS ", out);
	roff(out, text);
	fputc('\n', out);
	roff(out, command->help);
	fputs(".\n", out);
	if (command->more != NULL) {
		roff(out, command->more);
		fputc('\n', out);
	}
	for (int i = 0; i < COMMAND_ARGS_MAX && command->args[i].name != NULL; i++) {
		arg_title(&command->args[i], text, sizeof(text));
		roff_tagged(out, text, command->args[i].help);
	}
}

static void roff_examples(FILE *out)
{
	static const struct line examples[] = {
		{"vswitch-ctl port list", "Which guests are connected."},
		{"vswitch-ctl port add vm3 network=office "
		 "vhost-user.socket=/run/vswitch/guests/vm3.sock",
			"A port for a further guest."},
		{"vswitch-ctl config apply --confirm-within 60s new.yaml && vswitch-ctl config "
		 "confirm",
			"A change that comes back by itself if it cuts you off."},
		{"vswitch-ctl -j drops | jq '.[] | select(.reason == \"storm_broadcast\")'",
			"Which ports send too many broadcasts."},
		{"vswitch-ctl explain --from vm1 --to 10.0.0.2 tcp/445",
			"Whether vm1 reaches a neighbour's file service, and what decides."},
		{"vswitch-ctl conn list --port vm1 --service tcp/445",
			"Which connections there are to and from vm1 for that."},
	};

	fputs(".SH EXAMPLES\n", out);
	for (size_t i = 0; i < COUNT(examples); i++)
		roff_tagged(out, examples[i].name, examples[i].text);
}

void help_man(FILE *out)
{
	fputs(".TH VSWITCH\\-CTL 1 \"\" vswitch \"vswitch manual\"\n"
	      ".SH NAME\nvswitch\\-ctl \\- configure vswitchd, and ask it\n"
	      ".SH SYNOPSIS\n.B vswitch\\-ctl\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR "
	      "[\\fIARGUMENTS\\fR]\n"
	      ".SH DESCRIPTION\n"
	      "Sends one command to vswitchd over its control socket and prints the answer. Words\n"
	      "of a command may be cut short while they are unambiguous; scripts had better\n"
	      "write them out. A change has been carried out by every worker, and saved, when the\n"
	      "command ends with status 0.\n"
	      ".SH OPTIONS\n",
		out);
	for (size_t i = 0; i < COUNT(options); i++)
		roff_tagged(out, options[i].name, options[i].text);
	fputs(".SH COMMANDS\n", out);
	for (int i = 0; i < COMMANDS; i++)
		roff_command(out, &commands[i]);
	fputs(".SH \"EXIT STATUS\"\n", out);
	for (size_t i = 0; i < COUNT(exit_codes); i++)
		roff_tagged(out, exit_codes[i].name, exit_codes[i].text);
	roff_examples(out);
	fputs(".SH ENVIRONMENT\n", out);
	roff_tagged(out, "VSWITCH_SOCKET", "The control socket, where -s does not name one.");
	fputs(".SH \"SEE ALSO\"\n.BR vswitchd (8),\n.BR vswitchd.yaml (5)\n", out);
}
