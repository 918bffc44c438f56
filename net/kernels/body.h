/*
 * All kernels of one level. The including file defines DPLI_LANES and DPLI_LEVEL_TABLE, and is
 * compiled with its level's flags.
 */
#include "net/kernels/level.h"
#include "net/kernels/simd.h"

#include "net/kernels/act.h"
#include "net/kernels/gemm.h"

#include "net/kernels/depthwise.h"

#include "net/kernels/binary.h"
#include "net/kernels/pool.h"
#include "net/kernels/recurrent.h"

#include "net/kernels/chain.h"

const dpli_kernels DPLI_LEVEL_TABLE = {.act = act_run,
                                       .epilogue = epilogue_run,
                                       .conv = conv_run,
                                       .chain = chain_run,
                                       .binary = binary_run,
                                       .lstm = cell_lstm,
                                       .gru = cell_gru,
                                       .gru_reset = cell_gru_reset,
                                       .gru_finish = cell_gru_finish,
                                       .lstm_back = cell_lstm_back,
                                       .gru_back = cell_gru_back,
                                       .gru_finish_back = cell_gru_finish_back,
                                       .gru_reset_back = cell_gru_reset_back};
