/* A network, loaded: its graph and its name. */
#ifndef DOPPEL_NET_NET_H
#define DOPPEL_NET_NET_H

#include "net/graph.h"

struct dpl_net {
    dpli_graph graph;
    char hash[65], file_hash[65];
    uint64_t serial; /* of all nets of this process; an address comes back */
};

#endif
