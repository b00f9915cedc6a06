/* A DCERPC call over a pipe of SMB2 as records: connect, open, bind, acknowledgement, call. */
#ifndef TRAFFIC_CALL_H
#define TRAFFIC_CALL_H

#include "solve.h"

#define CALL_RECORDS 9

struct call_record {
	bool to_server;
	struct solution record;
};

/* The last record is the call, whose operation number a miss changes. */
void call_make(const uint8_t uuid[16], uint16_t version, uint16_t opnum,
	struct call_record records[CALL_RECORDS]);

#endif
