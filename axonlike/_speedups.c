/* The short ways of the kernel, and of a plot's call, in C.

   Everything here exists in Python too, in component.py, box.py, scheduler.py, threads.py, plotting/liveplot.py and
   memory.py, and the Python is what counts: it is complete, it is what runs where no compiler was found, and each
   function below takes a usual case alone. It looks whether the case is that one, does it as the Python would, and
   otherwise calls the Python function. So what is rare (a box that is full or not made yet, a policy that drops, a tap,
   a time-out, an error) is written once.

   `install`, `install_call` and `install_thread` (speedups.py calls them) are told the classes. They read from them
   where their slots lie, which is all that is known here of their layout, and put the functions below in the place of
   the Python ones.

   One thing has no Python beside it: TimerFD, a timer of the system, without which the event loop's timers serve
   (alarm.py).

   Only the thread that holds the interpreter's lock runs this, and no function gives the lock away between its look
   at a box and what it does with it, except by calling Python. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <math.h>
#include <time.h>
#ifdef __linux__
#include <sys/timerfd.h>
#include <unistd.h>
#endif

/* -- what `install` found out */

static PyTypeObject *Component, *Inbox, *Turn, *Wait, *Sleep, *Scheduler, *TimerQueue, *Timer, *Deque;
static PyObject *sleeping;                                   /* State.SLEEPING */
static PyObject *heappush;
static PyObject *deque_append, *deque_popleft, *deque_clear; /* method descriptors of collections.deque */
static PyMethodDef *generator_send;                          /* what a generator's bound `send` runs */
static PyObject *plain_waits;                                /* waits.PLAIN */
static PyObject *pause_trap;                                 /* waits.PAUSE */
static PyObject *empty_iterator;                             /* box._NOTHING */
static PyObject *perf_counter;
static double slice_s, ticks_per_s;
static long longest_stride;
static PyObject *parks_at_once; /* scheduler._PARKS */
static PyObject *current_slot;  /* Scheduler._current, the descriptor */
static PyObject *one, *outbox_name, *inbox_name;
static PyObject *documented; /* speedups._documented: a function's signature and documentation, as C has them */

/* What was in the place of each function: takes the cases that are not usual. */
static PyObject *python_send, *python_recv, *python_data_ready, *python_any_ready, *python_inbox, *python_wait,
    *python_pause, *python_sleep, *python_iter, *python_run_ready;

/* Offsets of slots, in bytes from the object's start. */
static struct {
    Py_ssize_t body, links, inboxes, stands, timer, turn, data;
} of_component;
static struct {
    Py_ssize_t queue, trip, attention, rest, rest_trip, last, taken, turn, full, name, limit, drops, waiters;
} of_inbox;
static struct {
    Py_ssize_t after, feed, last, only, parks, part, pausing, rests_on, resume, scheduler, value, waiting, why;
} of_turn;
static struct {
    Py_ssize_t simple;
} of_wait;
static struct {
    Py_ssize_t current, ready, awake, slices, watchdog, armed_s, now_s, time_out, timers;
} of_scheduler;
static struct {
    Py_ssize_t by_tick, made, ticks;
} of_timers;
static struct {
    Py_ssize_t seconds;
} of_sleep;

/* A slot as something to read, a borrowed reference. NULL while nothing was ever put into it. */
#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

static inline void
set_slot(PyObject *object, Py_ssize_t offset, PyObject *value)
{
    PyObject *old = SLOT(object, offset);
    SLOT(object, offset) = Py_NewRef(value);
    Py_XDECREF(old);
}

/* A name, made once. */
static inline PyObject *
named(PyObject **kept, const char *name)
{
    return *kept != NULL ? *kept : (*kept = PyUnicode_InternFromString(name));
}

static inline PyObject *
attribute(PyObject *object, PyObject **kept, const char *name)
{
    return named(kept, name) == NULL ? NULL : PyObject_GetAttr(object, *kept);
}

static inline PyObject *
call_method(PyObject *object, PyObject **kept, const char *name)
{
    return named(kept, name) == NULL ? NULL : PyObject_CallMethodNoArgs(object, *kept);
}

static inline int
is(PyObject *candidate, PyTypeObject *type)
{
    return candidate != NULL && Py_IS_TYPE(candidate, type);
}

/* Of a slot that holds a count: its value (no deque is longer than the greatest), or -1 if it holds something else. */
static inline Py_ssize_t
as_count(PyObject *number)
{
    if (number == NULL || !PyLong_CheckExact(number)) {
        return -1;
    }
    Py_ssize_t count = PyLong_AsSsize_t(number);
    if (count == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return PY_SSIZE_T_MAX;
    }
    return count;
}

static inline int
add_to_slot(PyObject *object, Py_ssize_t offset, Py_ssize_t number)
{
    Py_ssize_t before = as_count(SLOT(object, offset));
    if (before < 0) {
        PyErr_SetString(PyExc_SystemError, "a counter of the kernel is no count");
        return -1;
    }
    PyObject *after = PyLong_FromSsize_t(before + number);
    if (after == NULL) {
        return -1;
    }
    Py_SETREF(SLOT(object, offset), after);
    return 0;
}

static inline int
append(PyObject *deque, PyObject *item)
{
    PyObject *arguments[] = {deque, item};
    PyObject *nothing = PyObject_Vectorcall(deque_append, arguments, 2, NULL);
    if (nothing == NULL) {
        return -1;
    }
    Py_DECREF(nothing);
    return 0;
}

static inline PyObject *
popleft(PyObject *deque)
{
    return PyObject_Vectorcall(deque_popleft, &deque, 1, NULL);
}

/* The queue of a box, if the short ways of its owner are open: nothing about the box is unusual, and no loop holds
   messages of it. NULL otherwise, without an exception. */
static inline PyObject *
open_queue(PyObject *inbox)
{
    PyObject *queue = SLOT(inbox, of_inbox.queue);
    if (SLOT(inbox, of_inbox.attention) != Py_False || SLOT(inbox, of_inbox.rest) != Py_None || !is(queue, Deque)) {
        return NULL;
    }
    return queue;
}

/* Does a loop still hold messages of this box? */
static inline int
holds_rest(PyObject *inbox)
{
    PyObject *rest = SLOT(inbox, of_inbox.rest);
    return rest == Py_None ? 0 : (int)Py_MIN(PyObject_LengthHint(rest, 0), 1);
}

/* -- what a component calls */

/* The box named by the only argument but `skip` ones, or by none at all. A borrowed reference; NULL for other calls. */
static inline PyObject *
named_box(PyObject *boxes, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords, PyObject *default_name)
{
    if (boxes == NULL || !PyDict_CheckExact(boxes) || number > 1 || keywords != NULL) {
        return NULL;
    }
    PyObject *name = number ? arguments[0] : default_name;
    if (!PyUnicode_CheckExact(name)) {
        return NULL;
    }
    PyObject *box = PyDict_GetItemWithError(boxes, name);
    return is(box, Inbox) ? box : NULL;
}

/* The Python function, with the same arguments. */
static PyObject *
in_python(PyObject *function, PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    Py_ssize_t all = number + (keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords));
    PyObject *small[8], **copy = small;
    if (all + 1 > (Py_ssize_t)Py_ARRAY_LENGTH(small)) {
        copy = PyMem_Malloc((size_t)(all + 1) * sizeof(PyObject *));
        if (copy == NULL) {
            return PyErr_NoMemory();
        }
    }
    copy[0] = self;
    for (Py_ssize_t index = 0; index < all; index++) {
        copy[index + 1] = arguments[index];
    }
    PyObject *result = PyObject_Vectorcall(function, copy, (size_t)(number + 1), keywords);
    if (copy != small) {
        PyMem_Free(copy);
    }
    return result;
}

/* A message has come and the box's length has reached its trip: `Inbox.tripped`. Short where the owner waits for it
   plainly and the box is not full. */
static int
tripped(PyObject *inbox, PyObject *queue)
{
    PyObject *turn = SLOT(inbox, of_inbox.turn);
    PyObject *wait = is(turn, Turn) ? SLOT(turn, of_turn.waiting) : NULL;
    if (is(wait, Wait) && SLOT(inbox, of_inbox.rest) == Py_None &&
        PyObject_Size(queue) < as_count(SLOT(inbox, of_inbox.limit))) {
        PyObject *simple = SLOT(wait, of_wait.simple), *name = SLOT(inbox, of_inbox.name);
        int any = PyUnicode_CheckExact(simple) && PyUnicode_GET_LENGTH(simple) == 0;
        PyObject *scheduler = SLOT(turn, of_turn.scheduler);
        if ((simple == name || (any && SLOT(turn, of_turn.only) == inbox)) && PyObject_TypeCheck(scheduler, Scheduler)
            && SLOT(scheduler, of_scheduler.awake) == Py_True) {
            set_slot(turn, of_turn.waiting, Py_None);
            set_slot(turn, of_turn.value, name);
            set_slot(inbox, of_inbox.trip, SLOT(inbox, of_inbox.rest_trip));
            return append(SLOT(scheduler, of_scheduler.ready), turn);
        }
    }
    static PyObject *name_of_method;
    PyObject *nothing = call_method(inbox, &name_of_method, "tripped");
    if (nothing == NULL) {
        return -1;
    }
    Py_DECREF(nothing);
    return 0;
}

static PyObject *
fast_send(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *inbox = number < 1 ? NULL : named_box(
        SLOT(self, of_component.links), arguments + 1, number - 1, keywords, outbox_name);
    PyObject *queue = inbox == NULL ? NULL : SLOT(inbox, of_inbox.queue);
    if (!is(queue, Deque)) {
        return PyErr_Occurred() ? NULL : in_python(python_send, self, arguments, number, keywords);
    }
    Py_INCREF(inbox);
    Py_INCREF(queue);
    if (append(queue, arguments[0]) < 0 ||
        (PyObject_Size(queue) >= as_count(SLOT(inbox, of_inbox.trip)) && tripped(inbox, queue) < 0)) {
        Py_CLEAR(inbox);
    }
    Py_DECREF(queue);
    return inbox;
}

static PyObject *
fast_recv(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *inbox = named_box(SLOT(self, of_component.inboxes), arguments, number, keywords, inbox_name);
    PyObject *queue = inbox == NULL ? NULL : open_queue(inbox);
    if (queue == NULL || PyObject_Size(queue) < 1) {
        return PyErr_Occurred() ? NULL : in_python(python_recv, self, arguments, number, keywords);
    }
    PyObject *message = popleft(queue);
    if (message == NULL || add_to_slot(inbox, of_inbox.taken, 1) < 0) {
        Py_XDECREF(message);
        return NULL;
    }
    Py_INCREF(inbox); /* letting go of the last message runs its __del__, which may do anything */
    set_slot(SLOT(inbox, of_inbox.turn), of_turn.last, inbox);
    set_slot(inbox, of_inbox.last, message);
    Py_DECREF(inbox);
    return message;
}

static PyObject *
fast_data_ready(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *inbox = named_box(SLOT(self, of_component.inboxes), arguments, number, keywords, inbox_name);
    PyObject *queue = inbox == NULL ? NULL : open_queue(inbox);
    if (queue == NULL) {
        return PyErr_Occurred() ? NULL : in_python(python_data_ready, self, arguments, number, keywords);
    }
    return PyLong_FromSsize_t(PyObject_Size(queue));
}

static PyObject *
fast_any_ready(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *data = SLOT(self, of_component.data);
    Py_ssize_t number = data != NULL && PyTuple_CheckExact(data) ? PyTuple_GET_SIZE(data) : -1;
    for (Py_ssize_t index = 0; index < number; index++) {
        PyObject *inbox = PyTuple_GET_ITEM(data, index);
        PyObject *queue = is(inbox, Inbox) ? open_queue(inbox) : NULL;
        if (queue == NULL) {
            number = -1;
        }
        else if (PyObject_Size(queue) > 0) {
            return Py_NewRef(SLOT(inbox, of_inbox.name));
        }
    }
    if (number < 0) {
        return in_python(python_any_ready, self, NULL, 0, NULL);
    }
    Py_RETURN_NONE;
}

static PyObject *
fast_inbox(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *inbox = named_box(SLOT(self, of_component.inboxes), arguments, number, keywords, inbox_name);
    if (inbox == NULL) {
        return PyErr_Occurred() ? NULL : in_python(python_inbox, self, arguments, number, keywords);
    }
    return Py_NewRef(inbox);
}

static PyObject *
fast_pause(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *turn = SLOT(self, of_component.turn);
    if (!is(turn, Turn)) {
        return in_python(python_pause, self, NULL, 0, NULL);
    }
    set_slot(turn, of_turn.pausing, Py_True);
    Py_RETURN_NONE;
}

static PyObject *
fast_wait(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    if (number <= 1 && keywords == NULL && (number == 0 || PyUnicode_CheckExact(arguments[0]))) {
        PyObject *wait = PyDict_GetItemWithError(plain_waits, number ? arguments[0] : Py_None);
        if (wait != NULL) {
            return Py_NewRef(wait);
        }
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    return in_python(python_wait, self, arguments, number, keywords);
}

/* -- for message in inbox */

static PyObject *
fast_iter(PyObject *inbox, PyObject *Py_UNUSED(nothing))
{
    PyObject *queue = SLOT(inbox, of_inbox.queue), *turn = SLOT(inbox, of_inbox.turn);
    if (!is(queue, Deque) || holds_rest(inbox) != 0) {
        return PyErr_Occurred() ? NULL : in_python(python_iter, inbox, NULL, 0, NULL);
    }
    Py_ssize_t number = PyObject_Size(queue);
    if (number == 0) {
        set_slot(inbox, of_inbox.rest, Py_None);
        return Py_NewRef(empty_iterator);
    }
    PyObject *after = SLOT(turn, of_turn.after);
    if (SLOT(inbox, of_inbox.drops) != Py_False || SLOT(inbox, of_inbox.full) != Py_False ||
        SLOT(inbox, of_inbox.waiters) != Py_None || (after != Py_None && after != inbox)) {
        return in_python(python_iter, inbox, NULL, 0, NULL);
    }
    PyObject *batch = PySequence_List(queue);
    PyObject *nothing = batch == NULL ? NULL : PyObject_Vectorcall(deque_clear, &queue, 1, NULL);
    PyObject *rest = nothing == NULL ? NULL : PyObject_GetIter(batch);
    Py_XDECREF(nothing);
    if (rest == NULL || add_to_slot(inbox, of_inbox.taken, number) < 0) {
        Py_XDECREF(batch);
        Py_XDECREF(rest);
        return NULL;
    }
    Py_INCREF(inbox);
    set_slot(turn, of_turn.last, inbox);
    if (number > 1) {
        set_slot(turn, of_turn.after, inbox);
    }
    set_slot(inbox, of_inbox.rest, rest);
    set_slot(inbox, of_inbox.last, PyList_GET_ITEM(batch, number - 1));
    Py_DECREF(inbox);
    Py_DECREF(batch);
    return rest;
}

/* -- the scheduler's loop */

/* Of the scheduler that runs: does `_current` mean the slot? While somebody watches it is a property (watching.py). */
static int
set_current(PyObject *scheduler, int is_slot, PyObject *turn)
{
    if (is_slot) {
        set_slot(scheduler, of_scheduler.current, turn);
        return 0;
    }
    return PyObject_SetAttrString(scheduler, "_current", turn);
}

/* scheduler.name(part) or scheduler.name(part, more): 0, or -1 with an exception set. */
static int
call_scheduler(PyObject *scheduler, const char *name, PyObject *part, PyObject *more)
{
    PyObject *called = PyUnicode_InternFromString(name), *arguments[] = {scheduler, part, more};
    if (called == NULL) {
        return -1;
    }
    PyObject *nothing = PyObject_VectorcallMethod(called, arguments, more == NULL ? 2 : 3, NULL);
    Py_DECREF(called);
    if (nothing == NULL) {
        return -1;
    }
    Py_DECREF(nothing);
    return 0;
}

/* The exception that is set, as an object, and not set any more. */
static PyObject *
caught(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *kind, *failure, *trace;
    PyErr_Fetch(&kind, &failure, &trace);
    PyErr_NormalizeException(&kind, &failure, &trace);
    if (trace != NULL) {
        PyException_SetTraceback(failure, trace);
        Py_DECREF(trace);
    }
    Py_DECREF(kind);
    return failure;
#endif
}

/* The step raised the exception that is set: as ``except BaseException as exc: self.part_failed(turn.part, exc)``. */
static int
step_failed(PyObject *scheduler, PyObject *part)
{
    PyObject *error = caught();
    PyObject *handled_before = PyErr_GetHandledException();
    PyErr_SetHandledException(error);
    int status = call_scheduler(scheduler, "part_failed", part, error);
    PyErr_SetHandledException(handled_before);
    Py_XDECREF(handled_before);
    Py_DECREF(error);
    return status;
}

/* Is `trap` a bare yield: None, True or 1? */
static inline int
is_bare(PyObject *trap)
{
    return trap == Py_None || trap == Py_True || (PyLong_CheckExact(trap) && as_count(trap) == 1);
}

/* `feed.full`: of a box its slot, of several boxes a property. -1 with an exception set. */
static inline int
is_full(PyObject *feed)
{
    if (is(feed, Inbox)) {
        return SLOT(feed, of_inbox.full) == Py_True;
    }
    PyObject *full = PyObject_GetAttrString(feed, "full");
    if (full == NULL) {
        return -1;
    }
    int truth = PyObject_IsTrue(full);
    Py_DECREF(full);
    return truth;
}

/* What has to be settled after the step: nothing, if all there is is one box that was emptied and that nobody waits
   for. 1 if the turn's part was stopped by it; -1 with an exception set. */
static int
settle(PyObject *scheduler, PyObject *turn)
{
    PyObject *after = SLOT(turn, of_turn.after);
    if (is(after, Inbox) && SLOT(after, of_inbox.full) == Py_False && SLOT(after, of_inbox.waiters) == Py_None) {
        int rest = holds_rest(after);
        if (rest < 0) {
            return -1;
        }
        if (!rest) {
            set_slot(turn, of_turn.after, Py_None);
            return 0;
        }
    }
    PyObject *stopped = PyObject_CallMethod(scheduler, "_settle", "O", turn);
    if (stopped == NULL) {
        return -1;
    }
    int truth = PyObject_IsTrue(stopped);
    Py_DECREF(stopped);
    return truth;
}

/* heappush(heap, item): 0, or -1 with an exception set. */
static int
push(PyObject *heap, PyObject *item)
{
    PyObject *arguments[] = {heap, item};
    PyObject *pushed = PyObject_Vectorcall(heappush, arguments, 2, NULL);
    Py_XDECREF(pushed);
    return pushed == NULL ? -1 : 0;
}

/* Put a timer among those of its tick, as TimerQueue.add does it. */
static int
add_to_tick(PyObject *timers, double when_s, PyObject *timer)
{
    PyObject *by_tick = SLOT(timers, of_timers.by_tick), *tick = PyLong_FromDouble(when_s * ticks_per_s);
    PyObject *others = tick == NULL ? NULL : PyDict_GetItemWithError(by_tick, tick);
    int status = -1;
    if (others != NULL) {
        status = push(others, timer);
    }
    else if (tick != NULL && !PyErr_Occurred()) {
        PyObject *first = PyList_New(1);
        if (first != NULL) {
            PyList_SET_ITEM(first, 0, Py_NewRef(timer));
            others = PyDict_SetDefault(by_tick, tick, first);
            if (others != NULL) {
                status = others == first ? push(SLOT(timers, of_timers.ticks), tick) : push(others, timer);
            }
            Py_DECREF(first);
        }
    }
    Py_XDECREF(tick);
    return status;
}

/* A body has yielded what is neither a bare yield nor a wait: for a sleep, as Scheduler._trap does it. */
static int
sleep_until(PyObject *scheduler, PyObject *turn, PyObject *part, PyObject *trap)
{
    PyObject *timers = SLOT(scheduler, of_scheduler.timers), *now = SLOT(scheduler, of_scheduler.now_s);
    PyObject *seconds = is(trap, Sleep) ? SLOT(trap, of_sleep.seconds) : NULL;
    if (seconds == NULL || !PyFloat_CheckExact(seconds) || PyFloat_AS_DOUBLE(seconds) > 1e15 ||
        !is(timers, TimerQueue) || now == NULL || !PyObject_TypeCheck(part, Component) ||
        SLOT(scheduler, of_scheduler.time_out) == NULL) {
        return call_scheduler(scheduler, "_trap", part, trap);
    }
    PyObject *at = PyObject_CallNoArgs(now);
    if (at == NULL || !PyFloat_CheckExact(at)) {
        Py_XDECREF(at);
        return at == NULL ? -1 : call_scheduler(scheduler, "_trap", part, trap);
    }
    double when_s = PyFloat_AS_DOUBLE(at) + Py_MAX(0.0, PyFloat_AS_DOUBLE(seconds));
    Py_DECREF(at);
    set_slot(turn, of_turn.why, trap);
    set_slot(part, of_component.stands, sleeping);
    if (add_to_slot(timers, of_timers.made, 1) < 0) {
        return -1;
    }
    /* Timer([when_s, number, action, argument, queue]) */
    PyObject *content = Py_BuildValue("(dOO(O)O)", when_s, SLOT(timers, of_timers.made),
                                      SLOT(scheduler, of_scheduler.time_out), part, timers);
    PyObject *timer = content == NULL ? NULL : PyObject_CallOneArg((PyObject *)Timer, content);
    Py_XDECREF(content);
    if (timer == NULL || add_to_tick(timers, when_s, timer) < 0) {
        Py_XDECREF(timer);
        return -1;
    }
    set_slot(part, of_component.timer, timer);
    Py_DECREF(timer);
    PyObject *armed_s = SLOT(scheduler, of_scheduler.armed_s);
    if (armed_s != NULL && PyFloat_CheckExact(armed_s) && when_s >= PyFloat_AS_DOUBLE(armed_s)) {
        return 0;
    }
    PyObject *due = PyFloat_FromDouble(when_s);
    int status = due == NULL ? -1 : call_scheduler(scheduler, "_arm", due, NULL);
    Py_XDECREF(due);
    return status;
}

/* One turn, from the ready queue to where it goes next: 0, or -1 with an exception set. */
static int
run_turn(PyObject *scheduler, int is_slot, PyObject *ready, PyObject *turn)
{
    PyObject *part = SLOT(turn, of_turn.part), *value = SLOT(turn, of_turn.value);
    PyObject *resting = SLOT(turn, of_turn.rests_on); /* kept alive by its owner, `part`, as long as the turn is */
    if (resting != Py_None) {
        PyObject *queue = SLOT(resting, of_inbox.queue);
        if (SLOT(resting, of_inbox.attention) != Py_False || PyObject_Size(queue) < 1) {
            set_slot(turn, of_turn.rests_on, Py_None);
            set_slot(turn, of_turn.parks, parks_at_once);
            return call_scheduler(scheduler, "_wait", part, SLOT(turn, of_turn.why));
        }
        value = SLOT(resting, of_inbox.name);
    }
    int full = is_full(SLOT(turn, of_turn.feed));
    if (full != 0) {
        if (full < 0) {
            return -1;
        }
        set_slot(turn, of_turn.value, value);
        return set_current(scheduler, is_slot, Py_None) < 0 ? -1 : call_scheduler(scheduler, "_block", part, NULL);
    }
    if (set_current(scheduler, is_slot, turn) < 0) {
        return -1;
    }

    PyObject *resume = Py_XNewRef(SLOT(turn, of_turn.resume)), *trap = NULL;
    Py_INCREF(value);
    if (resume == NULL) {
        PyErr_SetString(PyExc_AttributeError, "resume");
    }
    else if (PyCFunction_CheckExact(resume) && ((PyCFunctionObject *)resume)->m_ml == generator_send) {
        if (PyIter_Send(PyCFunction_GET_SELF(resume), value, &trap) == PYGEN_RETURN) {
            Py_CLEAR(trap);
            PyErr_SetNone(PyExc_StopIteration);
        }
    }
    else {
        trap = PyObject_CallOneArg(resume, value);
    }
    Py_DECREF(value);
    Py_XDECREF(resume);
    if (trap == NULL) {
        int ended = PyErr_ExceptionMatches(PyExc_StopIteration);
        if (ended) {
            PyErr_Clear();
        }
        PyObject *kind, *error, *traceback;
        PyErr_Fetch(&kind, &error, &traceback);
        int status = set_current(scheduler, is_slot, Py_None);
        if (status < 0) {
            Py_XDECREF(kind);
            Py_XDECREF(error);
            Py_XDECREF(traceback);
            return -1;
        }
        PyErr_Restore(kind, error, traceback);
        return ended ? call_scheduler(scheduler, "part_ended", part, NULL) : step_failed(scheduler, part);
    }

    int status = 0;
    if (SLOT(turn, of_turn.after) != Py_None && (status = settle(scheduler, turn)) != 0) {
        status = Py_MIN(status, 0); /* stopped just now, it stands in the deque again */
        goto done;
    }
    if (resting != Py_None) {
        if (trap == SLOT(turn, of_turn.why)) {
            status = append(ready, turn); /* it goes on as before */
            goto done;
        }
        set_slot(turn, of_turn.rests_on, Py_None);
    }
    if (!is(trap, Wait)) {
        if (!is_bare(trap)) {
            status = set_current(scheduler, is_slot, Py_None) < 0 ? -1 : sleep_until(scheduler, turn, part, trap);
            goto done;
        }
        if (SLOT(turn, of_turn.pausing) != Py_True) {
            set_slot(turn, of_turn.value, Py_None);
            status = append(ready, turn);
            goto done;
        }
        set_slot(turn, of_turn.pausing, Py_False);
        Py_SETREF(trap, Py_NewRef(pause_trap));
    }
    PyObject *inbox = SLOT(turn, of_turn.only), *simple = SLOT(trap, of_wait.simple);
    int any = PyUnicode_CheckExact(simple) && PyUnicode_GET_LENGTH(simple) == 0, rest = 0;
    if (!is(inbox, Inbox) || SLOT(inbox, of_inbox.attention) != Py_False ||
        !(any || simple == SLOT(inbox, of_inbox.name)) || (rest = holds_rest(inbox)) != 0 ||
        (trap == pause_trap && PyObject_Size(SLOT(inbox, of_inbox.queue)) > 0)) {
        status = rest < 0 ? -1 : call_scheduler(scheduler, "_wait", part, trap);
        goto done;
    }
    Py_ssize_t parks = as_count(SLOT(turn, of_turn.parks));
    if (PyObject_Size(SLOT(inbox, of_inbox.queue)) > 0) {
        set_slot(turn, of_turn.value, SLOT(inbox, of_inbox.name));
        status = append(ready, turn);
    }
    else if (parks > 0) {
        status = add_to_slot(turn, of_turn.parks, -1);
        set_slot(turn, of_turn.waiting, trap);
        set_slot(inbox, of_inbox.trip, one);
    }
    else {
        set_slot(turn, of_turn.why, trap);
        set_slot(turn, of_turn.rests_on, inbox);
        status = append(ready, turn);
    }
done:
    Py_DECREF(trap);
    return status;
}

static double
now_s(void)
{
#ifdef __linux__
    struct timespec time; /* what time.perf_counter() reads there */
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
#endif
    PyObject *now = PyObject_CallNoArgs(perf_counter);
    double seconds = now == NULL ? -1 : PyFloat_AsDouble(now);
    Py_XDECREF(now);
    return seconds;
}

static PyObject *
fast_run_ready(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *ready = SLOT(self, of_scheduler.ready);
    if (!is(ready, Deque)) { /* in random order */
        return in_python(python_run_ready, self, NULL, 0, NULL);
    }
    static PyObject *name_of_current;
    PyObject *current = attribute((PyObject *)Py_TYPE(self), &name_of_current, "_current");
    if (current == NULL) {
        return NULL;
    }
    int is_slot = current == current_slot, status = 0;
    Py_DECREF(current);

    Py_INCREF(ready);
    double began_s = now_s(), looked_s = began_s;
    long countdown = 1, stride = 1; /* the clock is read as seldom as scheduler.py tells */
    while (status == 0 && PyObject_Size(ready) > 0) {
        if (--countdown == 0) {
            double at_s = now_s();
            if (at_s - began_s >= slice_s) {
                break;
            }
            stride = at_s - looked_s < slice_s / 8 ? Py_MIN(2 * stride, longest_stride) : 1;
            countdown = stride;
            looked_s = at_s;
        }
        PyObject *turn = popleft(ready);
        if (turn != NULL && !is(turn, Turn)) {
            PyErr_Format(PyExc_TypeError, "%R stands in the ready queue, and is no Turn", turn);
            Py_CLEAR(turn);
        }
        status = turn == NULL ? -1 : run_turn(self, is_slot, ready, turn);
        Py_XDECREF(turn);
    }
    Py_DECREF(ready);
    if (status < 0 || PyErr_Occurred() || set_current(self, is_slot, Py_None) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* -- a message from a thread */

static PyTypeObject *Thread;
static struct {
    Py_ssize_t component, ident, outgoing, post, posted, room_wanted, scheduler, stopped;
} of_thread;
static PyObject *python_pump, *python_thread_send, *ended;

/* Call a method with the exception that is set. */
static int
tell(PyObject *self, const char *method)
{
    PyObject *failure = caught();
    PyObject *told = PyObject_CallMethod(self, method, "O", failure);
    Py_DECREF(failure);
    Py_XDECREF(told);
    return told == NULL ? -1 : 0;
}

static Py_ssize_t most_under_way; /* threads._UNDER_WAY */

/* Is there room in the box for one more message, whatever its policy, with so many under way? */
static int
has_room(PyObject *inbox, Py_ssize_t under_way)
{
    if (SLOT(inbox, of_inbox.full) != Py_False) {
        return 0;
    }
    if (under_way == 0) {
        return 1;
    }
    PyObject *queue = SLOT(inbox, of_inbox.queue);
    return under_way < most_under_way && queue != NULL &&
           under_way + PyObject_Size(queue) < as_count(SLOT(inbox, of_inbox.limit));
}

/* ThreadedComponent.send in the thread itself, when there is room. */
static PyObject *
fast_thread_send(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *thread = SLOT(self, of_component.body), *links = SLOT(self, of_component.links);
    PyObject *box = number == 1 ? outbox_name : number == 2 ? arguments[1] : NULL;
    if (box == NULL || keywords != NULL || !PyUnicode_CheckExact(box) || !is(thread, Thread) || links == NULL ||
        !PyDict_CheckExact(links) || SLOT(thread, of_thread.stopped) != Py_False) {
        return in_python(python_thread_send, self, arguments, number, keywords);
    }
    PyObject *ident = SLOT(thread, of_thread.ident), *outgoing = SLOT(thread, of_thread.outgoing);
    PyObject *link = PyDict_GetItemWithError(links, box);
    if (ident == NULL || !PyLong_CheckExact(ident) || PyLong_AsUnsignedLong(ident) != PyThread_get_thread_ident() ||
        !is(outgoing, Deque) || !is(link, Inbox) || !has_room(link, PyObject_Size(outgoing))) {
        PyErr_Clear();
        return in_python(python_thread_send, self, arguments, number, keywords);
    }
    PyObject *entry = PyTuple_Pack(2, box, arguments[0]);
    if (entry == NULL) {
        return NULL;
    }
    Py_INCREF(thread);
    int status = append(outgoing, entry); /* before the scheduler is woken: it takes what is there, then sleeps */
    Py_DECREF(entry);
    PyObject *posted = NULL;
    if (status == 0 && SLOT(thread, of_thread.posted) == Py_False) {
        set_slot(thread, of_thread.posted, Py_True);
        posted = PyObject_CallNoArgs(SLOT(thread, of_thread.post));
        if (posted == NULL && PyErr_ExceptionMatches(PyExc_RuntimeError)) {
            static PyObject *name_of_post;
            PyErr_Clear();
            posted = call_method(thread, &name_of_post, "post"); /* it says what that means */
        }
        status = posted == NULL ? -1 : 0;
        Py_XDECREF(posted);
    }
    Py_DECREF(thread);
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* Is there one message alone, and nothing else to do than to send it? */
static int
has_one(PyObject *self, PyObject *outgoing)
{
    PyObject *component = SLOT(self, of_thread.component);
    if (component == NULL || SLOT(self, of_thread.room_wanted) != Py_False || PyObject_Size(outgoing) != 1) {
        return 0;
    }
    PyObject *stands = SLOT(component, of_component.stands);
    return stands != NULL && stands != ended;
}

/* As _Thread._pump: send what the thread has handed over. */
static int
pump(PyObject *self, PyObject *outgoing)
{
    set_slot(self, of_thread.posted, Py_False); /* what is appended from now on posts anew */
    PyObject *component = Py_NewRef(SLOT(self, of_thread.component)), *entry = popleft(outgoing), *sent = NULL;
    if (entry != NULL && PyTuple_CheckExact(entry) && PyTuple_GET_SIZE(entry) == 2) {
        PyObject *arguments[] = {PyTuple_GET_ITEM(entry, 1), PyTuple_GET_ITEM(entry, 0)};
        sent = fast_send(component, arguments, 2, NULL);
    }
    Py_DECREF(component);
    Py_XDECREF(entry);
    if (sent == NULL) {
        return tell(self, "_pump_failed");
    }
    Py_DECREF(sent);
    if (PyObject_Size(outgoing) == 0 && SLOT(self, of_thread.room_wanted) == Py_False) {
        return 0;
    }
    PyObject *done = PyObject_CallMethod(self, "_pump", NULL); /* the thread has gone on meanwhile */
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *
fast_pump_and_run(PyObject *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *scheduler = SLOT(self, of_thread.scheduler), *outgoing = SLOT(self, of_thread.outgoing);
    if (!is(scheduler, Scheduler) || !is(outgoing, Deque) || SLOT(scheduler, of_scheduler.awake) != Py_False ||
        !has_one(self, outgoing)) {
        return in_python(python_pump, self, NULL, 0, NULL);
    }
    PyObject *watchdog = SLOT(scheduler, of_scheduler.watchdog);
    if (watchdog != Py_None) {
        static PyObject *name_of_asleep;
        PyObject *asleep = watchdog == NULL ? NULL : attribute(watchdog, &name_of_asleep, "asleep");
        Py_XDECREF(asleep);
        if (asleep != Py_False) {
            PyErr_Clear();
            return in_python(python_pump, self, NULL, 0, NULL);
        }
    }
    Py_INCREF(scheduler);
    set_slot(scheduler, of_scheduler.awake, Py_True);
    int status = pump(self, outgoing) < 0 ? tell(scheduler, "_kernel_failed") : 0;
    if (status == 0 && add_to_slot(scheduler, of_scheduler.slices, 1) < 0) {
        status = -1;
    }
    if (status == 0) {
        static PyObject *name_of_run;
        PyObject *ran = call_method(scheduler, &name_of_run, "_run_ready");
        Py_XDECREF(ran);
        status = ran == NULL ? tell(scheduler, "_slice_failed") : 0;
    }
    PyObject *over = status < 0 ? NULL : PyObject_CallMethod(scheduler, "_slice_over", NULL);
    Py_DECREF(scheduler);
    return over;
}

/* -- a call of a plot */

static PyTypeObject *Plot, *Desk, *Array;
static struct {
    Py_ssize_t desk;
} of_plot;
static struct {
    Py_ssize_t args, kwargs, offered, gate, form, began, worst, wake_window;
} of_desk;

/* Bytes from the start of the memory that a plot shares with its window (plotting/memory.py), whose first is the gate's:
   flags of one byte, then numbers of eight. */
static struct {
    int window, others, sleeps, turn, call, time, worst, content;
} of_room;

#define MOST_ARRAYS 16

#if defined(__linux__) && (defined(__GNUC__) || defined(__clang__))

/* Is it an array like the one that lay there before? Then `view` is its memory, to be released. */
static int
is_alike(PyObject *value, PyObject *known, Py_buffer *view)
{
    static PyObject *name_of_dtype;
    if (!Py_IS_TYPE(value, Array)) {
        return 0;
    }
    PyObject *dtype = attribute(value, &name_of_dtype, "dtype");
    Py_XDECREF(dtype); /* the array keeps it */
    if (dtype == NULL || dtype != PyTuple_GET_ITEM(known, 0) || PyObject_GetBuffer(value, view, PyBUF_ND) < 0) {
        PyErr_Clear(); /* not in C's order, or no memory that can be had: the Python function does that */
        return 0;
    }
    PyObject *shape = PyTuple_GET_ITEM(known, 1);
    int alike = view->ndim == PyTuple_GET_SIZE(shape);
    for (int axis = 0; alike && axis < view->ndim; axis++) {
        alike = view->shape[axis] == PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, axis));
    }
    if (!alike) {
        PyBuffer_Release(view);
    }
    return alike;
}

/* Lay the values of a call down for the window, as FrameRoom.lay does it. 0: they are not like the ones that lay there
   before, or something is not usual; -1: with an exception set. */
static int
lay_in_memory(PyObject *desk, char *memory, PyObject *arguments, PyObject *keywords)
{
    double began_s = now_s();
    PyObject *form = SLOT(desk, of_desk.form), *offered = SLOT(desk, of_desk.offered);
    PyObject *plot_began = SLOT(desk, of_desk.began), *worst = SLOT(desk, of_desk.worst);
    if (form == NULL || !PyTuple_CheckExact(form) || plot_began == NULL || !PyFloat_CheckExact(plot_began) ||
        worst == NULL || !PyFloat_CheckExact(worst) || memory[of_room.others] || !memory[of_room.window]) {
        return 0;
    }
    PyObject *names = PyTuple_GET_ITEM(form, 1), *arrays = PyTuple_GET_ITEM(form, 2);
    Py_ssize_t positional = PyTuple_GET_SIZE(arguments), count = PyTuple_GET_SIZE(arrays);
    if (positional + PyTuple_GET_SIZE(names) != count || PyDict_GET_SIZE(keywords) != PyTuple_GET_SIZE(names) ||
        positional != PyLong_AsSsize_t(PyTuple_GET_ITEM(form, 0)) || count > MOST_ARRAYS) {
        return 0;
    }
    Py_buffer views[MOST_ARRAYS];
    Py_ssize_t index = 0, at = 0;
    PyObject *name, *value;
    int alike = 1;
    for (; index < positional; index++) {
        if (!is_alike(PyTuple_GET_ITEM(arguments, index), PyTuple_GET_ITEM(arrays, index), &views[index])) {
            alike = 0;
            break;
        }
    }
    while (alike && PyDict_Next(keywords, &at, &name, &value)) {
        alike = name == PyTuple_GET_ITEM(names, index - positional) &&
                is_alike(value, PyTuple_GET_ITEM(arrays, index), &views[index]);
        index += alike;
    }
    if (alike) {
        uint64_t turn = *(uint64_t *)(memory + of_room.turn) | 1;
        *(volatile uint64_t *)(memory + of_room.turn) = turn;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (Py_ssize_t each = 0; each < count; each++) {
            Py_ssize_t start = PyLong_AsSsize_t(PyTuple_GET_ITEM(PyTuple_GET_ITEM(arrays, each), 2));
            memcpy(memory + of_room.content + start, views[each].buf, (size_t)views[each].len);
        }
        *(uint64_t *)(memory + of_room.call) = (uint64_t)PyLong_AsSsize_t(offered);
        *(double *)(memory + of_room.time) = began_s - PyFloat_AS_DOUBLE(plot_began);
        *(double *)(memory + of_room.worst) = PyFloat_AS_DOUBLE(worst);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        *(volatile uint64_t *)(memory + of_room.turn) = turn + 1;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        *(volatile char *)(memory + of_room.window) = 0;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    while (index-- > 0) {
        PyBuffer_Release(&views[index]);
    }
    if (!alike) {
        return 0;
    }
    if (*(volatile char *)(memory + of_room.sleeps)) {
        memory[of_room.sleeps] = 0;
        PyObject *woken = PyObject_CallNoArgs(SLOT(desk, of_desk.wake_window));
        if (woken == NULL) {
            return -1;
        }
        Py_DECREF(woken);
    }
    double took_s = now_s() - began_s;
    if (took_s > PyFloat_AS_DOUBLE(worst)) {
        PyObject *longest = PyFloat_FromDouble(took_s);
        if (longest == NULL) {
            return -1;
        }
        set_slot(desk, of_desk.worst, longest);
        Py_DECREF(longest);
    }
    return 1;
}

#else /* no such memory, or no way known here to say in which order others see what is written */

static int
lay_in_memory(PyObject *Py_UNUSED(desk), char *Py_UNUSED(memory), PyObject *Py_UNUSED(arguments),
              PyObject *Py_UNUSED(keywords))
{
    return 0;
}

#endif

static PyObject *
fast_call(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    PyObject *desk = SLOT(self, of_plot.desk);
    if (!is(desk, Desk)) {
        PyErr_SetString(PyExc_AttributeError, "the plot was never made: call LivePlot.__init__ before it");
        return NULL;
    }
    if (keywords == NULL) {
        keywords = PyDict_New();
    }
    else { /* made for this call, as a rule; another's may change */
        keywords = Py_REFCNT(keywords) == 1 ? Py_NewRef(keywords) : PyDict_Copy(keywords);
    }
    if (keywords == NULL) {
        return NULL;
    }
    set_slot(desk, of_desk.args, arguments);
    set_slot(desk, of_desk.kwargs, keywords);
    Py_DECREF(keywords);
    if (add_to_slot(desk, of_desk.offered, 1) < 0) {
        return NULL;
    }
    PyObject *gate = SLOT(desk, of_desk.gate);
    if (gate != NULL && Py_IS_TYPE(gate, &PyMemoryView_Type) && PyMemoryView_GET_BUFFER(gate)->len == 2) {
        char *memory = PyMemoryView_GET_BUFFER(gate)->buf;
        if (*(volatile const uint16_t *)memory == 0) { /* written by the window's process, too */
            Py_RETURN_NONE;
        }
        int done = lay_in_memory(desk, memory, arguments, SLOT(desk, of_desk.kwargs));
        if (done != 0) {
            return done < 0 ? NULL : Py_NewRef(Py_None);
        }
    }
    static PyObject *name_of_method;
    return call_method(desk, &name_of_method, "lay_down");
}

static PyObject *
fast_sleep(PyObject *self, PyObject *const *arguments, Py_ssize_t number, PyObject *keywords)
{
    PyObject *seconds = number == 1 && keywords == NULL ? arguments[0] : NULL;
    if (seconds == NULL || !PyFloat_CheckExact(seconds) || isnan(PyFloat_AS_DOUBLE(seconds))) {
        return in_python(python_sleep, self, arguments, number, keywords);
    }
    PyObject *trap = Sleep->tp_alloc(Sleep, 0);
    if (trap != NULL) {
        SLOT(trap, of_sleep.seconds) = Py_NewRef(seconds);
    }
    return trap;
}

/* -- putting them in place */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static struct {
    PyTypeObject **of;
    PyObject **python; /* where the function that it replaces is kept */
    PyMethodDef method;
} functions[] = {
    {&Component, &python_send, {"send", FAST(fast_send), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Component, &python_recv, {"recv", FAST(fast_recv), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Component, &python_data_ready, {"data_ready", FAST(fast_data_ready), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Component, &python_any_ready, {"any_ready", FAST(fast_any_ready), METH_NOARGS, NULL}},
    {&Component, &python_inbox, {"inbox", FAST(fast_inbox), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Component, &python_pause, {"pause", FAST(fast_pause), METH_NOARGS, NULL}},
    {&Component, &python_sleep, {"sleep", FAST(fast_sleep), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Component, &python_wait, {"wait", FAST(fast_wait), METH_FASTCALL | METH_KEYWORDS, NULL}},
    {&Inbox, &python_iter, {"__iter__", FAST(fast_iter), METH_NOARGS, NULL}},
    {&Scheduler, &python_run_ready, {"_run_ready", FAST(fast_run_ready), METH_NOARGS, NULL}},
};

/* Where the slot of that name lies; -1 with an exception set if there is no such slot. */
static Py_ssize_t
offset(PyTypeObject *type, const char *name)
{
    Py_ssize_t found = -1;
    PyObject *descriptor = PyObject_GetAttrString((PyObject *)type, name);
    if (descriptor != NULL && Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        found = member->type == T_OBJECT_EX ? member->offset : -1;
    }
    Py_XDECREF(descriptor);
    if (found < 0) {
        PyErr_Format(PyExc_TypeError, "%s.%s is no slot", type->tp_name, name);
    }
    return found;
}

static int
find_slots(void)
{
    const struct {
        PyTypeObject *type;
        const char *name;
        Py_ssize_t *offset;
    } slots[] = {
        {Component, "_links", &of_component.links},
        {Component, "_body", &of_component.body},
        {Component, "_stands", &of_component.stands},
        {Component, "_timer", &of_component.timer},
        {Component, "_inboxes", &of_component.inboxes},
        {Component, "_turn", &of_component.turn},
        {Component, "_data", &of_component.data},
        {Inbox, "queue", &of_inbox.queue},
        {Inbox, "trip", &of_inbox.trip},
        {Inbox, "attention", &of_inbox.attention},
        {Inbox, "_rest", &of_inbox.rest},
        {Inbox, "rest_trip", &of_inbox.rest_trip},
        {Inbox, "last", &of_inbox.last},
        {Inbox, "_taken", &of_inbox.taken},
        {Inbox, "turn", &of_inbox.turn},
        {Inbox, "full", &of_inbox.full},
        {Inbox, "name", &of_inbox.name},
        {Inbox, "limit", &of_inbox.limit},
        {Inbox, "drops", &of_inbox.drops},
        {Inbox, "waiters", &of_inbox.waiters},
        {Turn, "after", &of_turn.after},
        {Turn, "feed", &of_turn.feed},
        {Turn, "last", &of_turn.last},
        {Turn, "only", &of_turn.only},
        {Turn, "parks", &of_turn.parks},
        {Turn, "part", &of_turn.part},
        {Turn, "pausing", &of_turn.pausing},
        {Turn, "rests_on", &of_turn.rests_on},
        {Turn, "resume", &of_turn.resume},
        {Turn, "scheduler", &of_turn.scheduler},
        {Turn, "value", &of_turn.value},
        {Turn, "waiting", &of_turn.waiting},
        {Turn, "why", &of_turn.why},
        {Wait, "simple", &of_wait.simple},
        {Scheduler, "_current", &of_scheduler.current},
        {Scheduler, "ready", &of_scheduler.ready},
        {Scheduler, "awake", &of_scheduler.awake},
        {Scheduler, "slices", &of_scheduler.slices},
        {Scheduler, "_watchdog", &of_scheduler.watchdog},
        {Scheduler, "_armed_s", &of_scheduler.armed_s},
        {Scheduler, "_now_s", &of_scheduler.now_s},
        {Scheduler, "_time_out", &of_scheduler.time_out},
        {Scheduler, "_timers", &of_scheduler.timers},
        {TimerQueue, "_by_tick", &of_timers.by_tick},
        {TimerQueue, "_made", &of_timers.made},
        {TimerQueue, "_ticks", &of_timers.ticks},
        {Sleep, "seconds", &of_sleep.seconds},
    };
    for (size_t index = 0; index < Py_ARRAY_LENGTH(slots); index++) {
        Py_ssize_t found = offset(slots[index].type, slots[index].name);
        if (found < 0) {
            return -1;
        }
        *slots[index].offset = found;
    }
    return 0;
}

/* Of the Python function that is replaced; NULL with an exception set. */
static const char *
documentation_of(PyObject *python)
{
    PyObject *text = PyObject_CallOneArg(documented, python);
    return text == NULL ? NULL : PyUnicode_AsUTF8(text); /* `text` is kept as long as the process lives */
}

/* Put a function in the place of a method, which is kept in `python`. */
static int
replace(PyTypeObject *type, PyMethodDef *method, PyObject **python)
{
    *python = PyObject_GetAttrString((PyObject *)type, method->ml_name);
    if (*python == NULL || (method->ml_doc = documentation_of(*python)) == NULL) {
        return -1;
    }
    PyObject *descriptor = PyDescr_NewMethod(type, method);
    if (descriptor == NULL) {
        return -1;
    }
    int status = PyObject_SetAttrString((PyObject *)type, method->ml_name, descriptor);
    Py_DECREF(descriptor);
    return status;
}

PyDoc_STRVAR(install_doc, "install(component, inbox, turn, wait, sleep, scheduler, timer_queue, timer, deque, sleeping, "
                          "heappush, generator_send, plain_waits, "
                          "pause, nothing, perf_counter, slice_s, longest_stride, parks, documented, ticks_per_s)\n--\n\n"
                          "Put the functions of this module in the place of those of the classes. Once.");

static PyObject *
install(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *send;
    if (python_send != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "installed already");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "O!O!O!O!O!O!O!O!O!OOO!O!OOOdlO!Od:install", &PyType_Type, &Component, &PyType_Type,
                          &Inbox, &PyType_Type, &Turn, &PyType_Type, &Wait, &PyType_Type, &Sleep, &PyType_Type,
                          &Scheduler, &PyType_Type, &TimerQueue, &PyType_Type, &Timer, &PyType_Type, &Deque, &sleeping,
                          &heappush, &PyCFunction_Type, &send, &PyDict_Type, &plain_waits, &pause_trap,
                          &empty_iterator, &perf_counter, &slice_s, &longest_stride, &PyLong_Type, &parks_at_once,
                          &documented, &ticks_per_s)) {
        return NULL;
    }
    generator_send = ((PyCFunctionObject *)send)->m_ml;
    if (find_slots() < 0) {
        return NULL;
    }
    one = PyLong_FromLong(1);
    outbox_name = PyUnicode_InternFromString("outbox");
    inbox_name = PyUnicode_InternFromString("inbox");
    deque_append = PyObject_GetAttrString((PyObject *)Deque, "append");
    deque_popleft = PyObject_GetAttrString((PyObject *)Deque, "popleft");
    deque_clear = PyObject_GetAttrString((PyObject *)Deque, "clear");
    current_slot = PyObject_GetAttrString((PyObject *)Scheduler, "_current");
    if (one == NULL || outbox_name == NULL || inbox_name == NULL || deque_append == NULL || deque_popleft == NULL ||
        deque_clear == NULL || current_slot == NULL) {
        return NULL;
    }
    /* All of these are kept as long as the process lives, as the functions are. */
    PyObject *kept[] = {(PyObject *)Component, (PyObject *)Inbox, (PyObject *)Turn, (PyObject *)Wait, (PyObject *)Sleep,
                        (PyObject *)Scheduler, (PyObject *)TimerQueue, (PyObject *)Timer, (PyObject *)Deque, sleeping,
                        heappush, plain_waits, pause_trap, empty_iterator,
                        perf_counter, parks_at_once, documented};
    for (size_t index = 0; index < Py_ARRAY_LENGTH(kept); index++) {
        Py_INCREF(kept[index]);
    }
    for (size_t index = 0; index < Py_ARRAY_LENGTH(functions); index++) {
        if (replace(*functions[index].of, &functions[index].method, functions[index].python) < 0) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static PyMethodDef update = {"update", FAST(fast_call), METH_VARARGS | METH_KEYWORDS, NULL};

PyDoc_STRVAR(install_call_doc, "install_call(plot, desk, array, room)\n--\n\nTake the calls of the class `plot`. Once.");

static PyObject *
install_call(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyTypeObject *plot, *desk, *array;
    if (Plot != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "installed already");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "O!O!O!(iiiiiiii):install_call", &PyType_Type, &plot, &PyType_Type, &desk,
                          &PyType_Type, &array, &of_room.window, &of_room.others, &of_room.sleeps, &of_room.turn,
                          &of_room.call, &of_room.time, &of_room.worst, &of_room.content)) {
        return NULL;
    }
    if ((of_plot.desk = offset(plot, "_desk")) < 0 || (of_desk.args = offset(desk, "args")) < 0 ||
        (of_desk.kwargs = offset(desk, "kwargs")) < 0 || (of_desk.offered = offset(desk, "offered")) < 0 ||
        (of_desk.gate = offset(desk, "gate")) < 0 ||
        (of_desk.form = offset(desk, "form")) < 0 || (of_desk.began = offset(desk, "began_s")) < 0 ||
        (of_desk.worst = offset(desk, "worst_call_s")) < 0 ||
        (of_desk.wake_window = offset(desk, "wake_window")) < 0) {
        return NULL;
    }
    PyObject *python = PyObject_GetAttrString((PyObject *)plot, "update");
    if (python == NULL) {
        return NULL;
    }
    update.ml_doc = documentation_of(python);
    Py_DECREF(python);
    if (update.ml_doc == NULL) {
        return NULL;
    }
    PyObject *descriptor = PyDescr_NewMethod(plot, &update);
    if (descriptor == NULL || PyObject_SetAttrString((PyObject *)plot, "update", descriptor) < 0) {
        Py_XDECREF(descriptor);
        return NULL;
    }
    Py_DECREF(descriptor);
    Plot = (PyTypeObject *)Py_NewRef(plot);
    Desk = (PyTypeObject *)Py_NewRef(desk);
    Array = (PyTypeObject *)Py_NewRef(array);
    /* A subclass with a __call__ of its own gets that, made later; `plot.__call__` is the Python function still. */
    plot->tp_call = fast_call;
    PyType_Modified(plot);
    Py_RETURN_NONE;
}

static PyMethodDef thread_send = {"send", FAST(fast_thread_send), METH_FASTCALL | METH_KEYWORDS, NULL};
static PyMethodDef pump_and_run = {"_pump_and_run", FAST(fast_pump_and_run), METH_NOARGS, NULL};

PyDoc_STRVAR(install_thread_doc, "install_thread(component, thread, ended, most_under_way)\n--\n\n"
                                 "Take what components with a thread of their own send. Once.");

static PyObject *
install_thread(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyTypeObject *component, *thread;
    PyObject *is_ended;
    if (Thread != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "installed already");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "O!O!On:install_thread", &PyType_Type, &component, &PyType_Type, &thread,
                          &is_ended, &most_under_way)) {
        return NULL;
    }
    if ((of_thread.component = offset(thread, "component")) < 0 || (of_thread.ident = offset(thread, "ident")) < 0 ||
        (of_thread.outgoing = offset(thread, "outgoing")) < 0 || (of_thread.post = offset(thread, "_post")) < 0 ||
        (of_thread.posted = offset(thread, "posted")) < 0 || (of_thread.stopped = offset(thread, "stopped")) < 0 ||
        (of_thread.room_wanted = offset(thread, "_room_wanted")) < 0 ||
        (of_thread.scheduler = offset(thread, "scheduler")) < 0) {
        return NULL;
    }
    ended = Py_NewRef(is_ended);
    if (replace(component, &thread_send, &python_thread_send) < 0 ||
        replace(thread, &pump_and_run, &python_pump) < 0) {
        return NULL;
    }
    Thread = (PyTypeObject *)Py_NewRef(thread);
    Py_RETURN_NONE;
}

#ifdef __linux__

/* A timer of the system on CLOCK_MONOTONIC, readable when it is due: alarm.SystemTimer. An object, so that no exception
 * that comes between the making of the descriptor and the keeping of it (Ctrl-C) leaves it open. */
typedef struct {
    PyObject_HEAD
    int fd; /* -1: closed */
} TimerFD;

static PyObject *
timerfd_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, ":TimerFD", names)) {
        return NULL;
    }
    TimerFD *self = (TimerFD *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (self->fd < 0) {
        Py_DECREF(self);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

static PyObject *
timerfd_close(TimerFD *self, PyObject *Py_UNUSED(ignored))
{
    if (self->fd >= 0) {
        close(self->fd);
        self->fd = -1;
    }
    Py_RETURN_NONE;
}

static void
timerfd_dealloc(TimerFD *self)
{
    if (self->fd >= 0) {
        close(self->fd);
    }
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *
timerfd_fileno(TimerFD *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(self->fd);
}

static PyObject *
timerfd_set(TimerFD *self, PyObject *when)
{
    double when_s = PyFloat_AsDouble(when);
    if (when_s == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    struct itimerspec due = {{0, 0}, {0, 0}}; /* never, for infinity */
    if (!isinf(when_s)) {
        when_s = Py_MIN(Py_MAX(when_s, 1e-9), 1e9); /* zero means never; no machine runs for thirty years */
        double whole_s = floor(when_s);
        long ns = (long)ceil((when_s - whole_s) * 1e9); /* up: it must not come too early */
        due.it_value.tv_sec = (time_t)whole_s + ns / 1000000000;
        due.it_value.tv_nsec = ns % 1000000000;
    }
    if (timerfd_settime(self->fd, TFD_TIMER_ABSTIME, &due, NULL) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyMethodDef timerfd_methods[] = {
    {"fileno", (PyCFunction)timerfd_fileno, METH_NOARGS, NULL},
    {"set", (PyCFunction)timerfd_set, METH_O, NULL},
    {"close", (PyCFunction)timerfd_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject TimerFD_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "axonlike._speedups.TimerFD",
    .tp_basicsize = sizeof(TimerFD),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = timerfd_new,
    .tp_dealloc = (destructor)timerfd_dealloc,
    .tp_methods = timerfd_methods,
};

#endif

static PyMethodDef methods[] = {
    {"install", install, METH_VARARGS, install_doc},
    {"install_call", install_call, METH_VARARGS, install_call_doc},
    {"install_thread", install_thread, METH_VARARGS, install_thread_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "axonlike._speedups",
    .m_doc = "The short ways of the kernel, in C (speedups.py puts them in place).",
    .m_size = -1, /* what `install` finds out is kept in static variables: one interpreter */
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    PyObject *module = PyModule_Create(&definition);
#ifdef __linux__
    if (module != NULL && PyModule_AddType(module, &TimerFD_type) < 0) {
        Py_CLEAR(module);
    }
#endif
    return module;
}
