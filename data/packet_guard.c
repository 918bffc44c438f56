/*
 * packet_guard.c - XML looked at before exempi parses it.
 *
 * exempi (2.6) holds its own against XML that is cut or broken, but not against XML that is built
 * to hurt: elements 100,000 deep end the process, since it goes into them recursively, and it
 * compares each property of a structure with all before it. So expat, which does neither, reads the
 * file first and counts. It also refuses what exempi would leave out in silence (a second rdf:RDF,
 * and XML around it that is not XMP's), and what it would write wrongly: it does not escape the
 * names of namespaces.
 */
#include "data/packet_guard.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "base/fail.h"
#include "base/utf8.h"
#include "data/packet.h"

#define RDF  "http://www.w3.org/1999/02/22-rdf-syntax-ns#\n"
#define META "adobe:ns:meta/\n"

typedef struct guard {
    XML_Parser parser;
    int depth;
    int rdf_depth; /* of the rdf:RDF that we are in; 0: of none */
    int n_rdf;
    size_t n_nodes;
    size_t n_fields[DPLI_PACKET_DEPTH + 1]; /* of the open element at each depth */
    size_t n_top;                           /* of all rdf:Description in rdf:RDF together */
    dpl_status status;
    dpl_error *err;
} guard;

static void stop(guard *g, dpl_status status)
{
    g->status = status;
    XML_StopParser(g->parser, XML_FALSE);
}

static void count_node(guard *g)
{
    g->n_nodes++;
    if (g->n_nodes > DPLI_PACKET_NODES && !g->status)
        stop(g, dpli_fail(g->err, DPL_E_LIMIT, "has more than %d elements and attributes",
                          DPLI_PACKET_NODES));
}

static void count_field(guard *g, int depth)
{
    /* Properties of the photo may be spread over several rdf:Description. */
    size_t *n = g->rdf_depth && depth == g->rdf_depth + 1 ? &g->n_top : &g->n_fields[depth];

    (*n)++;
    if (*n > DPLI_PACKET_FIELDS && !g->status)
        stop(g, dpli_fail(g->err, DPL_E_LIMIT, "has more than %d properties in one place",
                          DPLI_PACKET_FIELDS));
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    guard *g = ctx;

    if (g->status)
        return;
    if (g->depth == DPLI_PACKET_DEPTH) {
        stop(g,
             dpli_fail(g->err, DPL_E_LIMIT, "has elements more than %d deep", DPLI_PACKET_DEPTH));
        return;
    }
    count_node(g);
    if (strcmp(name, RDF "li") != 0)
        count_field(g, g->depth);
    g->depth++;
    g->n_fields[g->depth] = 0;
    if (g->depth == 1 && strcmp(name, META "xmpmeta") != 0 && strcmp(name, META "xapmeta") != 0 &&
        strcmp(name, RDF "RDF") != 0)
        stop(g, dpli_fail(g->err, DPL_E_INPUT, "is not XMP: it is other XML"));
    if (strcmp(name, RDF "RDF") == 0) {
        g->n_rdf++;
        if (g->depth <= 2)
            g->rdf_depth = g->depth;
    }
    for (; *attributes && !g->status; attributes += 2) {
        count_node(g);
        count_field(g, g->depth);
    }
}

static void on_end(void *ctx, const XML_Char *name)
{
    guard *g = ctx;

    (void)name;
    if (g->depth == g->rdf_depth)
        g->rdf_depth = 0;
    g->depth--;
}

static void on_namespace(void *ctx, const XML_Char *prefix, const XML_Char *uri)
{
    guard *g = ctx;

    (void)prefix;
    count_node(g);
    if (uri && strpbrk(uri, "\"<>&") && !g->status)
        stop(g, dpli_fail(g->err, DPL_E_INPUT,
                          "has a namespace with a quote, \"<\", \">\" or \"&\" in it"));
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    guard *g = ctx;

    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    stop(g, dpli_fail(g->err, DPL_E_INPUT, "is not XMP: it has a DOCTYPE"));
}

static void on_declaration(void *ctx, const XML_Char *version, const XML_Char *encoding,
                           int standalone)
{
    guard *g = ctx;

    (void)version;
    (void)standalone;
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        stop(g,
             dpli_fail(g->err, DPL_E_INPUT, "is in the encoding %.40s; UTF-8 is read", encoding));
}

static dpl_status parse(guard *g, const uint8_t *bytes, size_t n)
{
    enum XML_Error error;

    XML_SetUserData(g->parser, g);
    XML_SetElementHandler(g->parser, on_start, on_end);
    XML_SetStartNamespaceDeclHandler(g->parser, on_namespace);
    XML_SetStartDoctypeDeclHandler(g->parser, on_doctype);
    XML_SetXmlDeclHandler(g->parser, on_declaration);
    if (XML_Parse(g->parser, (const char *)bytes, (int)n, XML_TRUE) == XML_STATUS_OK)
        return g->status;
    error = XML_GetErrorCode(g->parser);
    if (error == XML_ERROR_NO_MEMORY)
        return dpli_fail(g->err, DPL_E_MEMORY, "out of memory for its XML");
    return g->status ? g->status
                     : dpli_fail(g->err, DPL_E_INPUT, "is not XML: %s in line %lu",
                                 XML_ErrorString(error), XML_GetCurrentLineNumber(g->parser));
}

dpl_status dpli_packet_guard(const uint8_t *bytes, size_t n, dpl_error *err)
{
    guard g = {.err = err};
    dpl_status status;

    if (n > DPLI_PACKET_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "file has %zu bytes, limit is %d", n, DPLI_PACKET_BYTES);
    if (strlen((const char *)bytes) < n || !dpli_is_utf8((const char *)bytes))
        return dpli_fail(err, DPL_E_INPUT, "is not XML in UTF-8");
    g.parser = XML_ParserCreateNS(NULL, '\n');
    if (!g.parser)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for its XML");
    status = parse(&g, bytes, n);
    XML_ParserFree(g.parser);
    if (!status && g.n_rdf != 1)
        return dpli_fail(err, DPL_E_INPUT,
                         g.n_rdf ? "is not XMP: it has several rdf:RDF"
                                 : "is not XMP: it has no rdf:RDF");
    return status;
}
