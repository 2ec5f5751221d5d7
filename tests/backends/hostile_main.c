/* The shim under the sanitizers and valgrind: so many hostile rounds, then the real kernel. Usage: hostile
 * ROUNDS */
#include "hostile.h"

_Thread_local struct source source = {.state = 88172645463325252u};

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000;

    for (long i = 0; i < rounds; i++) {
        hostile_gather();
        hostile_stamp();
        if (i % 50 == 0)
            hostile_exchange();
    }
    real_kernel();
    hostile_visits(rounds);
    printf("%ld rounds and the real kernel: nothing amiss\n", rounds);
    return 0;
}
