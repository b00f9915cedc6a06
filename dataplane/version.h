/* The version that both programs print. */
#ifndef VS_VERSION_H
#define VS_VERSION_H

#define VSWITCH_VERSION "0.1.0"

#endif
