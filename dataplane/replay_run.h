/*
 * `vswitchd --replay`: a capture through the whole data path, offline, in the capture's own time.
 * The workers have no threads; this one makes their passes, frame by frame.
 */
#ifndef VS_REPLAY_RUN_H
#define VS_REPLAY_RUN_H

/*
 * Runs the capture `in` with the configuration in file (NULL: none) and writes what the ports were
 * sent to out (NULL: nowhere). Prints a JSON summary. Returns the exit code: 0, or 2 where in is no
 * capture or the configuration is refused, with a message on standard error.
 */
int replay_run(const char *file, const char *in, const char *out);

#endif
