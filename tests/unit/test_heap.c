// SPDX-License-Identifier: Apache-2.0
// The heap against a plain array that is searched for its least element.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http-front/dispatch/heap.h"

enum { ELEMENTS = 300, ROUNDS = 50000 };

struct element {
    int value;
    struct heap_node node;
};

static int by_value(const struct heap_node *a, const struct heap_node *b)
{
    int x = heap_element(a, struct element, node)->value;
    int y = heap_element(b, struct element, node)->value;
    return (x > y) - (x < y);
}

static void gives_elements_in_order(void **state)
{
    struct heap *heap = heap_new(by_value);
    struct element elements[ELEMENTS] = {0};

    (void)state;
    assert_null(heap_top(heap));
    assert_null(heap_pop(heap));
    for (int i = 0; i < ELEMENTS; i++) {
        elements[i].value = i * 7919 % ELEMENTS;
        heap_push(heap, &elements[i].node);
        assert_true(heap_holds(&elements[i].node));
    }
    assert_int_equal(heap_size(heap), ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++) {
        struct heap_node *top = heap_top(heap);
        assert_ptr_equal(heap_pop(heap), top);
        assert_int_equal(heap_element(top, struct element, node)->value, i);
        assert_false(heap_holds(top));
    }
    assert_int_equal(heap_size(heap), 0);
    heap_free(&heap);
    assert_null(heap);
}

static int least_of(const struct element *elements)
{
    int least = INT32_MAX;
    for (int i = 0; i < ELEMENTS; i++)
        if (heap_holds(&elements[i].node) && elements[i].value < least)
            least = elements[i].value;
    return least;
}

static void keeps_order_through_any_changes(void **state)
{
    struct heap *heap = heap_new(by_value);
    struct element elements[ELEMENTS] = {0};
    unsigned seed = 42;
    size_t held = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct element *element = &elements[rand_r(&seed) % ELEMENTS];
        if (!heap_holds(&element->node)) {
            element->value = rand_r(&seed) % 1000;
            heap_push(heap, &element->node);
            held++;
        } else if (rand_r(&seed) % 2) {
            element->value = rand_r(&seed) % 1000;
            heap_update(heap, &element->node);
        } else {
            heap_remove(heap, &element->node);
            held--;
        }
        assert_int_equal(heap_size(heap), held);
        if (held > 0)
            assert_int_equal(heap_element(heap_top(heap), struct element, node)->value, least_of(elements));
    }
    heap_free(&heap);
    for (int i = 0; i < ELEMENTS; i++)
        assert_false(heap_holds(&elements[i].node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_elements_in_order),
        cmocka_unit_test(keeps_order_through_any_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
