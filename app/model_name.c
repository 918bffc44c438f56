/*
 * model_name.c - what a model is called.
 */
#include "app/model_name.h"

const char *model_name(const dpl_net *net)
{
    const char *name = dpl_net_meta(net, "doppel.name");

    return name && name[0] ? name : "model";
}
