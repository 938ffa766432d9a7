# SPDX-License-Identifier: MIT
"""Which of CPython's own tests can't pass on shared objects, and why.

t/pycpython.py runs them all the same: one that passes must not be here.
"""
import enum


class Why(enum.Enum):
    """The reasons that there may be."""

    DETAIL = "sizes, gc and other details of CPython"
    TYPE = "exact result type: results are ordinary objects"
    C = "C code that needs the builtin itself"
    PICKLE = "pickling by value"


#: module.Class.test -> (reason, what exactly); a third item is a range of the
#: minor versions of CPython for which it holds.
EXCLUDED = {
    # Lists.
    "test_list.ListTest.test_equal_operator_modifying_operand": (
        Why.DETAIL, "== is of one moment, whatever __eq__ changes meanwhile"),
    "test_list.ListTest.test_keywords_in_subclass": (
        Why.TYPE, "type(u) is subclass"),
    "test_list.ListTest.test_pickle": (
        Why.PICKLE, "what is unpickled is the same object"),
    "test_list.ListTest.test_preallocation": (Why.DETAIL, "sys.getsizeof()"),
    "test_list.ListTest.test_reversed_pickle": (
        Why.PICKLE, "what is unpickled goes over the same list"),

    # Dicts.
    "test_dict.DictTest.test_container_iterator": (
        Why.DETAIL, "gc of views that are attributes of what they view"),
    "test_dict.DictTest.test_copy_maintains_tracking": (
        Why.DETAIL, "gc.is_tracked()"),
    "test_dict.DictTest.test_merge_and_mutate": (
        Why.DETAIL, "update() is of one moment, whatever __eq__ does"),
    "test_dict.DictTest.test_object_set_item_single_instance_non_str_key": (
        Why.DETAIL, "a __dict__ with keys that are no strings"),
    "test_dict.DictTest.test_setdefault_atomic": (
        Why.DETAIL, "how often __hash__ is called"),
    "test_dict.DictTest.test_setitem_atomic_at_resize": (
        Why.DETAIL, "how often __hash__ is called"),
    "test_dict.DictTest.test_splittable_del": (
        Why.DETAIL, "dicts that share keys: the order of __dict__"),
    "test_dict.DictTest.test_splittable_pop": (
        Why.DETAIL, "dicts that share keys: the order of __dict__"),
    "test_dict.DictTest.test_splittable_popitem": (
        Why.DETAIL, "dicts that share keys: the order of __dict__"),
    "test_dict.DictTest.test_splittable_setdefault": (
        Why.DETAIL, "dicts that share keys: the order of __dict__"),
    "test_dict.DictTest.test_splittable_to_generic_combinedtable": (
        Why.DETAIL, "a __dict__ with keys that are no strings"),
    "test_dict.DictTest.test_track_dynamic": (
        Why.DETAIL, "gc.is_tracked()"),
    "test_dict.DictTest.test_track_literals": (
        Why.DETAIL, "gc.is_tracked()"),
    "test_dict.DictTest.test_dict_copy_order": (
        Why.C, "dict.keys(self) of an object that derives from dict"),
    "test_dict.CAPITest.test_getitem_knownhash": (
        Why.C, "_PyDict_GetItem_KnownHash()"),

    # Deques.
    "test_deque.TestBasic.test_container_iterator": (
        Why.DETAIL, "gc of an iterator that is an attribute of an element"),
    "test_deque.TestBasic.test_copy": (
        Why.DETAIL, "two reads of a float are the same object"),
    "test_deque.TestBasic.test_pickle": (
        Why.PICKLE, "what is unpickled is the same object"),
    "test_deque.TestBasic.test_pickle_recursive": (
        Why.PICKLE, "what is unpickled is the same object"),
    "test_deque.TestBasic.test_sizeof": (
        Why.DETAIL, "sys.getsizeof()"),
    "test_deque.TestSubclass.test_copy_pickle": (
        Why.TYPE, "a copy is an ordinary object"),
    "test_deque.TestSubclass.test_pickle_recursive": (
        Why.PICKLE, "what is unpickled is the same object"),

    # Sets.
    "test_set.TestFrozenSet.test_cyclical_repr": (
        Why.DETAIL, "two reads of a frozenset are the same object"),
    "test_set.TestFrozenSetSubclass.test_cyclical_repr": (
        Why.DETAIL, "two reads of a frozenset are the same object"),
    "test_set.TestFrozenSet.test_subclass_with_custom_hash": (
        Why.DETAIL, "id() of a frozenset that was stored"),
    "test_set.TestFrozenSetSubclass.test_subclass_with_custom_hash": (
        Why.DETAIL, "id() of a frozenset that was stored"),
    "test_set.TestSet.test_container_iterator": (
        Why.DETAIL, "gc of an iterator that is an attribute of an element"),
    "test_set.TestSetSubclass.test_container_iterator": (
        Why.DETAIL, "gc of an iterator that is an attribute of an element"),
    "test_set.TestFrozenSet.test_container_iterator": (
        Why.DETAIL, "gc of an iterator that is an attribute of an element"),
    "test_set.TestFrozenSetSubclass.test_container_iterator": (
        Why.DETAIL, "gc of an iterator that is an attribute of an element"),
    "test_set.TestSet.test_deepcopy": (
        Why.PICKLE, "a copy does not call the elements' __deepcopy__"),
    "test_set.TestSetSubclass.test_deepcopy": (
        Why.PICKLE, "a copy does not call the elements' __deepcopy__"),
    "test_set.TestSet.test_pickling": (
        Why.TYPE, "type(s) is set"),
    "test_set.TestSetSubclass.test_do_not_rehash_dict_keys": (
        Why.DETAIL, "how often __hash__ is called"),
    "test_set.TestFrozenSetSubclass.test_do_not_rehash_dict_keys": (
        Why.DETAIL, "how often __hash__ is called"),
    "test_set.TestSetSubclass.test_keywords_in_subclass": (
        Why.TYPE, "type(u) is subclass"),
    "test_set.TestCopyingNested.test_copy": (
        Why.DETAIL, "two reads of a tuple are the same object"),
    "test_set.TestCopyingTuple.test_copy": (
        Why.DETAIL, "two reads of a tuple are the same object"),
    **{
        f"test_set.TestMethodsMutating_Subclass_{other}.test_{name}": (
            Why.C, f"set.{name[:-14]}() of an object that derives from set")
        for other in ("Set", "Subclass")
        for name in (
            "difference_update_with_mutation",
            "difference_with_mutation",
            "intersection_update_with_mutation",
            "intersection_with_mutation",
            "isdisjoint_with_mutation",
            "issubset_with_mutation",
            "issuperset_with_mutation",
            "symmetric_difference_update_with_mutation",
            "symmetric_difference_with_mutation",
            "union_with_mutation",
            "update_with_mutation",
        )
    },

    # Bytearrays.
    **{
        f"test_bytes.{tests}.test_{name}": (why, text)
        for tests in ("ByteArraySubclassTest",
                      "ByteArraySubclassWithSlotsTest")
        for name, why, text in (
            ("copy", Why.TYPE, "type(b) is the class"),
            ("pickle", Why.PICKLE, "what is unpickled is the same object"),
        )
    },
    "test_bytes.ByteArrayTest.test_alloc": (
        Why.DETAIL, "__alloc__(), a size"),
    "test_bytes.ByteArrayTest.test_basics": (
        Why.TYPE, "type(b) is bytearray"),
    "test_bytes.ByteArrayTest.test_imod": (
        Why.TYPE, "b % args is an ordinary bytearray"),
    "test_bytes.ByteArrayTest.test_init_alloc": (
        Why.DETAIL, "__alloc__(), a size"),
    "test_bytes.ByteArrayTest.test_mod": (
        Why.TYPE, "b % args is an ordinary bytearray"),
    "test_bytes.ByteArrayTest.test_sq_item": (
        Why.DETAIL, "PySequence_GetItem(b, -2) of one item"),
    "test_bytes.ByteArrayAsStringTest.test_fixtype": (
        Why.TYPE, "type(b) is bytearray"),
    "test_bytes.ByteArraySubclassTest.test_join": (
        Why.TYPE, "what join() returns is an ordinary bytearray"),
    "test_bytes.ByteArraySubclassWithSlotsTest.test_join": (
        Why.TYPE, "what join() returns is an ordinary bytearray"),

    # Copies: they never go through pickle.
    "test_copy.TestCopy.test_copy_cant": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_copy_inst_getnewargs_ex": (
        Why.C, "__getnewargs_ex__ that returns a shared dict"),
    "test_copy.TestCopy.test_copy_reduce": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_copy_reduce_ex": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_copy_registry": (
        Why.PICKLE, "copyreg is not asked"),
    "test_copy.TestCopy.test_deepcopy_cant": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_deepcopy_inst_getnewargs_ex": (
        Why.C, "__getnewargs_ex__ that returns a shared dict"),
    "test_copy.TestCopy.test_deepcopy_reduce": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_deepcopy_reduce_ex": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_deepcopy_reflexive_tuple": (
        Why.DETAIL, "two reads of a tuple are the same object"),
    "test_copy.TestCopy.test_deepcopy_registry": (
        Why.PICKLE, "copyreg is not asked"),
    "test_copy.TestCopy.test_getstate_exc": (
        Why.PICKLE, "__getstate__ is not called"),
    "test_copy.TestCopy.test_reconstruct_string": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_reduce_6tuple": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),
    "test_copy.TestCopy.test_reduce_6tuple_none": (
        Why.PICKLE, "__reduce_ex__ of a proxy is POSH's own"),

    # Dataclasses.
    "test_dataclasses.TestCase.test_dataclasses_pickleable": (
        Why.PICKLE, "what is unpickled is the same object"),
    "test_dataclasses.TestCase.test_disallowed_mutable_defaults": (
        Why.TYPE, "the message names the type of a shared list"),
    "test_dataclasses.TestSlots.test_frozen_pickle": (
        Why.PICKLE, "what is unpickled is the same object"),
    "test_dataclasses.TestSlots.test_slots_no_weakref": (
        Why.DETAIL, "every proxy has weak references"),
    "test_dataclasses.TestCase.test_helper_asdict_builtin_containers": (
        Why.TYPE, "asdict() looks at type(), which is not list",
        range(13, 99)),
    "test_dataclasses.TestFrozen.test_frozen_deepcopy_with_slots": (
        Why.PICKLE, "a copy does not set attributes one by one"),
    "test_dataclasses.TestSlots.test_frozen_slots_pickle_custom_state": (
        Why.PICKLE, "__getstate__ is not called"),
    "test_dataclasses.TestMakeDataclass.test_cannot_be_pickled": (
        Why.PICKLE, "only references are pickled"),
}

#: Tests that put into an object what can't be shared.  It is said that they do,
#: and then they are run with objects that are refused as a whole.
UNSHAREABLE = {
    "test_dataclasses.TestCase.test_no_unhashable_default": "a lambda",
    "test_dataclasses.TestDescriptors.test_lookup_on_instance":
        "a Mock, which has a class of its own,",
}
