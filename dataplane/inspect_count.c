#include "inspect_count.h"

struct inspect_count inspect_count;
