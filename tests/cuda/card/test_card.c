/* A card's peaks against NVIDIA's data sheets, and its energy from a library that is made up for it. */
#include "base/memory.h"
#include "base/task.h"
#include "cuda/backend/card_internal.h"
#include "tests/support/check.h"

#include <unistd.h>

static void check_peaks(poet_card card, double tflops, double tensor_tflops, double gb)
{
    poet_peaks peaks = poet_card_peaks(&card);
    CHECK_CLOSE(peaks.f32 / 1e12, tflops, 0.006 * tflops);
    CHECK_CLOSE(peaks.tensor / 1e12, tensor_tflops, 0.006 * tensor_tflops);
    CHECK_CLOSE(peaks.bandwidth / 1e9, gb, 0.006 * gb);
}

static void test_peaks(void)
{
    const poet_card gtx1080 = {61, 20, 1733500, 5005000, 256};
    check_peaks(gtx1080, 8.87, 0, 320);                                    /* GeForce GTX 1080 */
    check_peaks((poet_card){75, 40, 1590000, 5001000, 256}, 8.1, 65, 320); /* Tesla T4 */
    check_peaks((poet_card){80, 108, 1410000, 1215000, 5120}, 19.5, 312, 1555);   /* A100, 40 GB */
    check_peaks((poet_card){86, 82, 1695000, 9751000, 384}, 35.6, 71, 936);       /* RTX 3090 */
    check_peaks((poet_card){89, 128, 2520000, 10501000, 384}, 82.6, 165.2, 1008); /* RTX 4090 */
    check_peaks((poet_card){90, 132, 1830000, 2619000, 5120}, 61.8, 989.4, 3352); /* H100 SXM */
    check_peaks((poet_card){120, 170, 2407000, 14001000, 512}, 104.8, 209.5, 1792); /* RTX 5090 */
    CHECK_CLOSE(poet_card_peaks(&gtx1080).int8 / 1e12, 35.5, 0.006 * 35.5); /* 8.9 T __dp4a */
    CHECK_CLOSE(poet_card_peaks(&(poet_card){131, 99, 1000000, 1, 1}).f32, 0, 0);
}

static void test_counter(const char *library)
{
    double joules;
    poet_nvml *nvml = poet_nvml_open(library, "0000:65:00.0");
    CHECK(nvml != NULL);
    for (int i = 1; nvml && i < 4; i++) {
        CHECK(poet_nvml_joules(nvml, &joules));
        CHECK_CLOSE(joules, 1.5 * i, 1e-9);
    }
    poet_nvml_close(nvml);
}

/* Energy is power times the time of the library's clock, which lies between two readings of ours. */
static void test_sampled(const char *library)
{
    double joules, least, most, begin = poet_seconds();
    poet_nvml *nvml = poet_nvml_open(library, "0000:65:01.0");
    double opened = poet_seconds();
    CHECK(nvml != NULL);
    for (int i = 0; nvml && i < 3; i++) {
        usleep(30000);
        least = 60 * (poet_seconds() - opened);
        CHECK(poet_nvml_joules(nvml, &joules));
        most = 60 * (poet_seconds() - begin);
        CHECK(joules >= least - 1e-3 && joules <= most + 1e-3);
    }
    poet_nvml_close(nvml);
}

int main(int argc, char **argv)
{
    CHECK_INT(argc, 2);
    test_peaks();
    test_counter(argv[1]);
    test_sampled(argv[1]);
    CHECK(poet_nvml_open(argv[1], "0000:65:02.0") == NULL);
    CHECK(poet_nvml_open(argv[1], "0000:65:03.0") == NULL);
    CHECK(poet_nvml_open("/nowhere/libnvidia-ml.so.1", "0000:65:00.0") == NULL);
    CHECK(poet_nvml_open("libm.so.6", "0000:65:00.0") == NULL);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
