/*
 * Lifts emergency blocks when their time is up, and tries again to save what could not be saved.
 * One timer of the event loop. Control thread.
 */
#ifndef VS_BLOCK_TIMER_H
#define VS_BLOCK_TIMER_H

/* Looks at the blocks as they are now: once they are loaded, and behind each change. */
void block_timer_set(void);

#endif
