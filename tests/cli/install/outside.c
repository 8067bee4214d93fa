/* A small user of the installed library: of each thing that it is linked with, something is wanted. */
#include <base/rng.h>
#include <codec/video.h>
#include <compute/backend.h>
#include <stdio.h>

int main(void)
{
    uint8_t pixels[16 * 16 * 3] = {0};
    poet_clip clip = {.t = 1, .h = 16, .w = 16, .fps = 8, .pixels = pixels};
    poet_rng rng;
    poet_rng_init(&rng, 7, 0);
    float u = poet_rng_uniform(&rng);
    if (poet_video_write("outside.gif", &clip, NULL, NULL) || !poet_backend_cpu())
        printf("%s\n", poet_error_message());
    printf("%s\n", u >= 0 && u < 1 ? "a number from 0 to 1" : "broken");
    return 0;
}
