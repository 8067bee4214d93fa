/* The smallest user of the installed library. */
#include <base/rng.h>
#include <stdio.h>

int main(void)
{
    poet_rng rng;
    poet_rng_init(&rng, 7, 0);
    float u = poet_rng_uniform(&rng);
    printf("%s\n", u >= 0 && u < 1 ? "a number from 0 to 1" : "broken");
    return 0;
}
