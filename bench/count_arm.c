/*
 * count_arm.c - counts what instructions of ARM a program executes: a plugin of qemu-aarch64.
 *
 *     cc -O2 -shared -fPIC -o count_arm.so bench/count_arm.c
 *     qemu-aarch64 -plugin ./count_arm.so -L SYSROOT PROGRAM…
 *
 * At the end a line of CSV a kind goes to stderr: all, each product that kernels are made of, loads and
 * stores of the vector registers. An emulator has no time of its own, but what it executes is what a
 * processor would: the difference of two runs that differ by one repetition is that repetition.
 *
 * Source: the plugins' interface as QEMU 7.2 has it (docs/devel/tcg-plugins.rst), stated again here
 * because Debian packages no header of it; encodings: Arm ARM, C4.1.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0 };

#define SHOWN __attribute__((visibility("default")))

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*cb)(qemu_plugin_id_t id,
                                                      struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
                                                uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t id, void *p),
                                    void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

SHOWN extern int qemu_plugin_version;
int qemu_plugin_version = 1;

/* An instruction is of the first kind whose bits it has. Multiply-adds that one of it makes. */
static struct kind {
    const char *name;
    uint32_t mask, bits;
    int products;
    uint64_t count;
} kinds[] = {{"fmla", 0xffa0fc00, 0x4e20cc00, 4, 0},
             {"fmla by lane", 0xff80f400, 0x4f801000, 4, 0},
             {"smlal by lane", 0xbfc0f400, 0x0f402000, 4, 0},
             {"sdot", 0xffe0fc00, 0x4e809400, 16, 0},
             {"sdot by lane", 0xffc0f400, 0x4f80e000, 16, 0},
             {"usmmla", 0xffe0fc00, 0x4e80ac00, 32, 0},
             {"bfmmla", 0xffe0fc00, 0x6e40ec00, 16, 0},
             {"vector load or store", 0x0e000000, 0x0c000000, 0, 0},
             {"other", 0, 0, 0, 0}};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word;
        size_t k = 0;

        memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
        while ((word & kinds[k].mask) != kinds[k].bits)
            k++;
        qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &kinds[k].count, 1);
    }
}

static void told(qemu_plugin_id_t id, void *unused)
{
    uint64_t all = 0, products = 0;

    (void)id, (void)unused;
    for (size_t k = 0; k < N_KINDS; k++) {
        all += kinds[k].count;
        products += kinds[k].count * (uint64_t)kinds[k].products;
        fprintf(stderr, "%s,%" PRIu64 "\n", kinds[k].name, kinds[k].count);
    }
    fprintf(stderr, "all,%" PRIu64 "\nmultiply-adds,%" PRIu64 "\n", all, products);
}

SHOWN int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);
SHOWN int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, told, NULL);
    return 0;
}
