// A BPF program for guests of tests: run once, it leaves behind one of each special field that
// values of maps have. What bpf_map_guest_test.cc expects is written here.
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
enum { false, true };

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

// include/uapi/linux/bpf.h. The kernel knows special fields by the names of their types.
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, CLOCK_MONOTONIC = 1 };
struct bpf_spin_lock {
  __u32 val;
};
struct bpf_timer {
  __u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_wq {
  __u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_head {
  __u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_list_node {
  __u64 __opaque[3];
} __attribute__((aligned(8)));
struct bpf_rb_root {
  __u64 __opaque[2];
} __attribute__((aligned(8)));
struct bpf_rb_node {
  __u64 __opaque[4];
} __attribute__((aligned(8)));
struct bpf_refcount {
  __u32 __opaque[1];
} __attribute__((aligned(4)));
// Of these only the names matter.
struct task_struct {
  int pid;
} __attribute__((preserve_access_index));
struct bpf_cpumask {
  int usage;
} __attribute__((preserve_access_index));

// On typedefs: clang 14 loses the tag of a "struct x".
#define KPTR __attribute__((btf_type_tag("kptr")))
#define PERCPU_KPTR __attribute__((btf_type_tag("percpu_kptr")))
#define __contains(type, member) __attribute__((btf_decl_tag("contains:" #type ":" #member)))

extern void* bpf_obj_new_impl(__u64 type, void* unused) __ksym;
extern void bpf_obj_drop_impl(void* object, void* unused) __ksym;
extern void* bpf_percpu_obj_new_impl(__u64 type, void* unused) __ksym;
extern void bpf_percpu_obj_drop_impl(void* object, void* unused) __ksym;
extern void* bpf_refcount_acquire_impl(void* object, void* unused) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head* head, struct bpf_list_node* node,
                                   void* unused, __u64 offset) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root* root, struct bpf_rb_node* node,
                               bool(less)(struct bpf_rb_node* a, const struct bpf_rb_node* b),
                               void* unused, __u64 offset) __ksym;
extern int bpf_wq_init(struct bpf_wq* wq, void* map, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq* wq,
                                    int(callback)(void* map, int* key, void* value),
                                    unsigned int flags, void* unused) __ksym __attribute__((weak));
// Since 7.0, where the other one wants a struct bpf_prog_aux.
extern int bpf_wq_set_callback(struct bpf_wq* wq, int(callback)(void* map, int* key, void* value),
                               unsigned int flags) __ksym __attribute__((weak));
extern struct task_struct* bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct* task) __ksym;
extern struct bpf_cpumask* bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask* mask) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask* mask) __ksym;

#define NEW(type) ((type*)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

// An object that is in a list, and one that is in a tree and in a list of its own at once.
struct item {
  struct bpf_list_node link;
  __u64 number;
};
struct leaf {
  struct bpf_rb_node node;
  struct bpf_list_node link;
  struct bpf_refcount refs;
  __u64 key;
};
struct counts {
  __u64 hits;
};

typedef struct task_struct kept_task;
typedef struct bpf_cpumask kept_cpus;
typedef struct counts kept_counts;

struct value {
  struct bpf_spin_lock lock;
  __u32 plain;
  struct bpf_list_head items __contains(item, link);
  struct bpf_rb_root leaves __contains(leaf, node);
  struct bpf_list_head also_leaves __contains(leaf, link);
  struct bpf_timer timer;
  struct bpf_wq work;
  kept_task KPTR* task;
  kept_cpus KPTR* cpus;
  kept_counts PERCPU_KPTR* counts;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 3);
  __type(key, __u32);
  __type(value, struct value);
} s_values SEC(".maps");

// A list among the global variables, in a section that holds nothing but what its lock guards.
#define GUARDED SEC(".bss.guarded") __attribute__((visibility("hidden"), aligned(8)))
GUARDED struct bpf_spin_lock s_lock;
GUARDED struct bpf_list_head s_items __contains(item, link);

static int expired(void* map, int* key, struct value* value) { return 0; }
static int worked(void* map, int* key, void* value) { return 0; }
static bool less(struct bpf_rb_node* a, const struct bpf_rb_node* b) {
  return ((struct leaf*)a)->key < ((const struct leaf*)b)->key;
}

static int add_item(struct bpf_list_head* items, struct bpf_spin_lock* lock, __u64 number) {
  struct item* item = NEW(struct item);
  if (!item) return 1;
  item->number = number;
  bpf_spin_lock(lock);
  bpf_list_push_back_impl(items, &item->link, 0, 0);
  bpf_spin_unlock(lock);
  return 0;
}

static int add_leaf(struct value* value, __u64 key) {
  struct leaf* leaf = NEW(struct leaf);
  if (!leaf) return 1;
  leaf->key = key;
  struct leaf* again = bpf_refcount_acquire_impl(leaf, 0);
  bpf_spin_lock(&value->lock);
  bpf_rbtree_add_impl(&value->leaves, &leaf->node, less, 0, 0);
  bpf_list_push_back_impl(&value->also_leaves, &again->link, 0, 0);
  bpf_spin_unlock(&value->lock);
  return 0;
}

static int keep(struct value* value) {
  // The kernel takes a kptr only to what is defined; clang else declares what is pointed to.
  if (!bpf_core_type_exists(struct task_struct) || !bpf_core_type_exists(struct bpf_cpumask)) {
    return 1;
  }
  struct task_struct* task = bpf_task_from_pid(1);
  if (!task) return 2;
  task = bpf_kptr_xchg(&value->task, task);
  if (task) bpf_task_release(task);
  struct bpf_cpumask* cpus = bpf_cpumask_create();
  if (!cpus) return 3;
  bpf_cpumask_set_cpu(1, cpus);
  cpus = bpf_kptr_xchg(&value->cpus, cpus);
  if (cpus) bpf_cpumask_release(cpus);
  struct counts* counts = bpf_percpu_obj_new_impl(bpf_core_type_id_local(struct counts), 0);
  if (!counts) return 4;
  counts = bpf_kptr_xchg(&value->counts, counts);
  if (counts) bpf_percpu_obj_drop_impl(counts, 0);
  return 0;
}

// What becomes of the value's timer: from 0 an hour from now, or started and cancelled.
static int set_timer(struct value* value, bool cancel) {
  if (bpf_timer_init(&value->timer, &s_values, CLOCK_MONOTONIC)) return 5;
  if (bpf_timer_set_callback(&value->timer, expired)) return 6;
  if (bpf_timer_start(&value->timer, 3600ull * 1000 * 1000 * 1000, 0)) return 7;
  if (cancel) bpf_timer_cancel(&value->timer);
  return 0;
}

// Value 0 has all of it, value 1 a timer that is not armed, value 2 nothing.
SEC("syscall") int fill(void* context) {
  __u32 key = 0;
  struct value* value = bpf_map_lookup_elem(&s_values, &key);
  if (!value) return 10;
  value->plain = 4711;
  if (add_item(&value->items, &value->lock, 11) || add_item(&value->items, &value->lock, 22) ||
      add_item(&s_items, &s_lock, 33)) {
    return 11;
  }
  if (add_leaf(value, 30) || add_leaf(value, 10) || add_leaf(value, 20)) return 12;
  int failed = keep(value);
  if (failed) return failed;
  failed = set_timer(value, false);
  if (failed) return failed;
  if (bpf_wq_init(&value->work, &s_values, 0)) return 13;
  if (bpf_wq_set_callback ? bpf_wq_set_callback(&value->work, worked, 0)
                          : bpf_wq_set_callback_impl(&value->work, worked, 0, 0)) {
    return 14;
  }
  key = 1;
  value = bpf_map_lookup_elem(&s_values, &key);
  if (!value) return 15;
  return set_timer(value, true);
}
