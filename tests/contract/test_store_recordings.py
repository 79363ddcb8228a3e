"""The store contract: recordings, from their call's commit to the deletion of the file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import Conflict, NotFound
from maskline.masking.facts import RecordingCompleted
from maskline.masking.recording import Recording, RecordingResult, RecordingStatus
from maskline.storage.filters import RecordingFilter
from maskline.storage.kept import Owner
from maskline.storage.store import Store
from tests.support.recordings import recording, recording_end
from tests.support.store_values import (
    ACCOUNT,
    OTHER,
    SUB,
    T0,
    call_facts,
    interaction,
    new_session,
    outbox_row,
    recorded_call,
)

pytestmark = pytest.mark.usefixtures("our_clock")

DONE = RecordingResult(
    "rec-1", RecordingStatus.COMPLETED, 0.0, T0 + 12.5, T0 + 40, 27_500, False, "2023-11-14/rec-1.mp3", "s3://b/k", 9000
)

ANY = RecordingFilter()


async def begin(store: Store, one: Recording | None = None) -> Recording:
    one = one or recording()
    first = call_facts(one.call_id)[:1]
    await store.commit_calls([recorded_call(one.call_id, facts=first, record=None, interaction=None, outbox=(),
                                            recording=one)])  # fmt: skip
    return one


async def stopped(store: Store, one: Recording | None = None) -> Recording:
    one = await begin(store, one)
    end = recording_end(one.id)
    rest = call_facts(one.call_id)[1:]
    await store.commit_calls([recorded_call(one.call_id, facts=rest, recording_end=end)])
    return one.stopped(end)


async def completed(store: Store, one: Recording | None = None) -> Recording:
    one = await stopped(store, one)
    await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    assert await store.finish_recording("me", replace(DONE, recording_id=one.id))
    return await store.recording(one.account_id, one.id)


async def test_a_recording_is_born_and_stopped_with_the_facts_of_its_call(store: Store) -> None:
    one = await begin(store)
    assert await store.recording(ACCOUNT.id, "rec-1") == one
    assert await store.next_recording_due() is None
    await store.commit_calls([recorded_call(facts=call_facts()[1:], recording_end=recording_end(partial=True))])
    assert await store.recording(ACCOUNT.id, "rec-1") == one.stopped(recording_end(partial=True))
    assert await store.next_recording_due() == T0 + 40


async def test_a_recording_may_begin_and_end_in_one_commit_and_a_repeat_changes_nothing(store: Store) -> None:
    share = recorded_call(recording=recording(), recording_end=recording_end())
    await store.commit_calls([share])
    await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    await store.commit_calls([share])
    assert (await store.recording(ACCOUNT.id, "rec-1")).status is RecordingStatus.PROCESSING


async def test_an_end_without_a_recording_is_nothing(store: Store) -> None:
    await store.commit_calls([recorded_call(recording_end=recording_end())])
    assert (await store.counts())["recordings"] == 0


async def test_a_withheld_caller_is_kept_as_it_is(store: Store) -> None:
    one = await begin(store, recording(caller=None, subaccount_id=SUB.id))
    assert await store.recording_of_link("rec-1") == one


async def test_a_recording_of_another_account_is_not_found(store: Store) -> None:
    await begin(store)
    for look in (store.recording(OTHER.id, "rec-1"), store.recording(ACCOUNT.id, "no"), store.recording_of_link("no")):
        with pytest.raises(NotFound):
            await look


async def test_a_list_is_newest_first_and_narrowed_by_what_is_asked(store: Store) -> None:
    first = await begin(store)
    second = recording("rec-2", call_id="call-2", leg_id="leg-2", session_id="session-2", started_at=T0 + 99,
                       subaccount_id=SUB.id)  # fmt: skip
    await begin(store, second)
    await begin(store, recording("rec-3", account_id=OTHER.id, call_id="call-3"))

    async def ids(wanted: RecordingFilter = ANY, limit: int = 20, offset: int = 0) -> list[str]:
        found, total = await store.recordings(ACCOUNT.id, wanted, limit=limit, offset=offset)
        assert total >= len(found)
        return [one.id for one in found]

    assert await ids() == ["rec-2", "rec-1"]
    assert await ids(limit=1) == ["rec-2"]
    assert await ids(offset=1) == ["rec-1"]
    assert await ids(RecordingFilter(subaccount_id=SUB.id)) == ["rec-2"]
    assert await ids(RecordingFilter(call_id="call-2")) == await ids(RecordingFilter(call_id="leg-2")) == ["rec-2"]
    assert await ids(RecordingFilter(session_id="session-1")) == ["rec-1"]
    assert await ids(RecordingFilter(since=T0 + 13)) == ["rec-2"]
    assert await ids(RecordingFilter(until=first.started_at)) == ["rec-1"]
    assert (await store.recordings(ACCOUNT.id, RecordingFilter(), limit=0))[1] == 2


async def test_one_at_a_time_is_leased_and_again_when_its_lease_is_over(store: Store) -> None:
    await stopped(store)
    assert await store.lease_recording("me", now=T0 + 39, until=T0 + 90) is None
    leased = await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    assert leased is not None
    assert (leased.status, leased.attempts, leased.due_at) == (RecordingStatus.PROCESSING, 1, T0 + 90)
    assert await store.lease_recording("you", now=T0 + 60, until=T0 + 99) is None
    again = await store.lease_recording("you", now=T0 + 90, until=T0 + 130)
    assert again is not None and again.attempts == 2
    assert not await store.finish_recording("me", DONE, facts=[RecordingCompleted("rec-1", 1, T0, "call-1", 1, False)])
    assert await store.facts("rec-1") == []
    assert await store.finish_recording("you", DONE)


async def test_what_is_finished_tells_in_the_same_transaction(store: Store) -> None:
    await stopped(store)
    await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    fact = RecordingCompleted("rec-1", 1, T0 + 51, "call-1", 27_500, False)
    assert await store.finish_recording("me", DONE, facts=[fact], outbox=[outbox_row("told")])
    done = await store.recording(ACCOUNT.id, "rec-1")
    assert done.downloadable
    assert (done.duration_ms, done.size, done.pushed) == (27_500, 9000, "s3://b/k")
    assert await store.facts("rec-1") == [fact]
    assert "told" in [row.id for row in await store.outbox(ACCOUNT.id)]
    assert await store.next_recording_due() is None
    assert not await store.finish_recording("me", DONE)


async def test_a_webhook_that_exists_already_undoes_all_of_it(store: Store) -> None:
    await stopped(store)
    await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    with pytest.raises(Conflict):
        await store.finish_recording("me", DONE, outbox=[outbox_row("call-1-row")])
    assert (await store.recording(ACCOUNT.id, "rec-1")).status is RecordingStatus.PROCESSING


async def test_a_try_that_failed_is_due_again(store: Store) -> None:
    await stopped(store)
    await store.lease_recording("me", now=T0 + 50, until=T0 + 90)
    await store.finish_recording("me", RecordingResult("rec-1", RecordingStatus.STOPPED, T0 + 80, error="timeout"))
    assert await store.next_recording_due() == T0 + 80
    leased = await store.lease_recording("me", now=T0 + 80, until=T0 + 90)
    assert leased is not None and (leased.attempts, leased.error) == (2, "timeout")


async def test_what_a_living_process_makes_is_left_alone_but_not_by_its_own_next_start(store: Store) -> None:
    await stopped(store)
    now = (await store.renew_owner(Owner("maker", "engine", "", ""), now=T0)).now
    await store.lease_recording("maker", now=T0 + 50, until=T0 + 9000)
    assert await store.recover_recordings(T0 + 60, now=now) == 0
    assert await store.recover_recordings(T0 + 60, now=now, owner="another") == 0
    assert await store.recover_recordings(T0 + 60, now=now, owner="maker") == 1


async def test_what_a_killed_process_left_is_taken_up_again_and_said_to_be_partial(store: Store) -> None:
    await begin(store)
    await stopped(store, recording("rec-2", call_id="call-2"))
    await store.lease_recording("killed", now=T0 + 50, until=T0 + 9000)
    await completed_other(store)
    assert await store.recover_recordings(T0 + 60) == 2
    assert await store.recover_recordings(T0 + 60) == 0
    first, second = [await store.recording(ACCOUNT.id, name) for name in ("rec-1", "rec-2")]
    assert (first.status, first.partial, first.ended_at, first.due_at) == (
        RecordingStatus.STOPPED, True, None, T0 + 60,
    )  # fmt: skip
    assert (second.status, second.partial, second.due_at) == (RecordingStatus.STOPPED, False, T0 + 60)
    assert not await store.finish_recording("killed", replace(DONE, recording_id="rec-2"))


async def completed_other(store: Store) -> None:
    await stopped(store, recording("rec-3", call_id="call-3"))
    await store.lease_recording("me", now=T0 + 60, until=T0 + 90)
    await store.finish_recording("me", replace(DONE, recording_id="rec-3"))


async def test_a_spool_is_dropped_once_it_is_not_needed(store: Store) -> None:
    done = await completed(store)
    assert await store.recordings_to_clean(10) == [done]
    await store.drop_spool("rec-1")
    await store.drop_spool("nothing")
    assert await store.recordings_to_clean(10) == []
    assert (await store.recording(ACCOUNT.id, "rec-1")).spool == ""


async def test_a_deleted_recording_stays_known_without_its_file(store: Store) -> None:
    done = await completed(store)
    assert await store.delete_recording(ACCOUNT.id, "rec-1") == done
    gone = await store.recording(ACCOUNT.id, "rec-1")
    assert (gone.status, gone.file, gone.pushed, gone.size) == (RecordingStatus.DELETED, "", "", 0)
    assert gone.duration_ms == 27_500
    assert not gone.downloadable
    with pytest.raises(NotFound):
        await store.delete_recording(ACCOUNT.id, "rec-1")
    with pytest.raises(NotFound):
        await store.delete_recording(OTHER.id, "rec-1")


async def test_one_that_is_not_finished_cannot_be_deleted_or_tried_again(store: Store) -> None:
    await begin(store)
    with pytest.raises(Conflict):
        await store.delete_recording(ACCOUNT.id, "rec-1")
    with pytest.raises(Conflict):
        await store.retry_recording(ACCOUNT.id, "rec-1", T0)


async def test_a_failure_can_be_tried_again_while_its_spool_is_there(store: Store) -> None:
    await begin(store, recording(status=RecordingStatus.FAILED, error="disk full"))
    await store.retry_recording(ACCOUNT.id, "rec-1", T0 + 70)
    again = await store.recording(ACCOUNT.id, "rec-1")
    assert (again.status, again.attempts, again.due_at, again.error) == (RecordingStatus.STOPPED, 0, T0 + 70, "")
    await begin(store, recording("rec-2", call_id="call-2", status=RecordingStatus.FAILED, spool=""))
    with pytest.raises(Conflict):
        await store.retry_recording(ACCOUNT.id, "rec-2", T0)


async def test_old_ones_are_those_that_still_have_something_to_delete(store: Store) -> None:
    await completed(store)
    await begin(store, recording("rec-2", call_id="call-2", status=RecordingStatus.FAILED))
    await begin(store, recording("rec-3", call_id="call-3", status=RecordingStatus.FAILED, spool=""))
    await begin(store, recording("rec-4", call_id="call-4"))
    assert [one.id for one in await store.old_recordings(T0 + 13, 10)] == ["rec-1", "rec-2"]
    assert [one.id for one in await store.old_recordings(T0 + 13, 1)] == ["rec-1"]
    assert await store.old_recordings(T0 + 12, 10) == []


async def test_what_is_over_is_forgotten_with_the_rest(store: Store) -> None:
    await begin(store, recording("rec-1", status=RecordingStatus.FAILED, spool=""))
    await begin(store, recording("rec-2", call_id="call-2", status=RecordingStatus.FAILED))
    await completed(store, recording("rec-3", call_id="call-3"))
    while await store.forget(T0 + 1000, T0 + 1000, 100):
        pass
    left, _ = await store.recordings(ACCOUNT.id, RecordingFilter(), limit=10)
    assert sorted(one.id for one in left) == ["rec-2", "rec-3"]


async def test_an_interaction_names_its_recording(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([recorded_call(interaction=interaction(recording_id="rec-1"))])
    session = await store.session(ACCOUNT.id, "session-1")
    assert [done.recording_id for done in session.interactions] == ["rec-1"]
