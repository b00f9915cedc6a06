/*
 * Paths of files that the switch makes. Any thread.
 */
#ifndef VS_PATH_H
#define VS_PATH_H

/*
 * Makes the directories above path that are missing, with mode 0755 less the umask. 0, or -1 with
 * errno.
 */
int path_make_parents(const char *path);

#endif
