package endcap.model_test

import data.endcap.model
import data.fixture
import future.keywords.every
import future.keywords.if
import future.keywords.in

bytes_path := "/metadata/annotations/endcap.io~1model-bytes"

created_path := "/metadata/annotations/endcap.io~1model-created"

denied(given) := got if got := fixture.rules(model.violation) with input as given with time.now_ns as fixture.now_ns

test_allowed_in_every_kind if {
	every kind in fixture.kinds { denied(fixture.review(fixture.workload(kind))) == set() }
}

test_pods_without_a_model if {
	denied(fixture.with_pod([fixture.unset("/spec/runtimeClassName"), fixture.unset("/metadata/annotations")])) == set()
}

test_missing if {
	denied(fixture.with_pod([fixture.unset(bytes_path)])) == {"model-bytes-missing"}
	denied(fixture.with_pod([fixture.unset(created_path)])) == {"model-created-missing"}
	denied(fixture.with_pod([fixture.set("/metadata/annotations", null)])) == {"model-bytes-missing", "model-created-missing"}
}

# --- size -----------------------------------------------------------------------------------

test_size_unreadable if {
	every text in ["7.1e6", "7100000 ", "-1", "0x10", "7,100,000", "7Mi", "007", "one", "1234567890123456789", 7100000, true] {
		denied(fixture.with_pod([fixture.set(bytes_path, text)])) == {"model-bytes-unreadable"}
	}
}

test_size if {
	every text in ["1", "100000000"] { denied(fixture.with_pod([fixture.set(bytes_path, text)])) == set() }
	every text in ["0", "100000001", "999999999999999999"] {
		denied(fixture.with_pod([fixture.set(bytes_path, text)])) == {"model-bytes-size"}
	}
}

# --- age ------------------------------------------------------------------------------------

test_time_unreadable if {
	every text in ["yesterday", "2026-01-31", "2026-02-30T00:00:00Z", "1769860800", 1769860800, "9999-01-01T00:00:00Z"] {
		denied(fixture.with_pod([fixture.set(created_path, text)])) == {"model-created-unreadable"}
	}
}

test_age if {
	denied(fixture.with_pod([fixture.set(created_path, "2026-01-11T00:00:00Z")])) == set()
	denied(fixture.with_pod([fixture.set(created_path, "2026-01-10T23:59:59Z")])) == {"model-old"}
	denied(fixture.with_pod([fixture.set(created_path, "2026-02-10T00:05:00Z")])) == set()
	denied(fixture.with_pod([fixture.set(created_path, "2026-02-10T00:05:01Z")])) == {"model-future"}
}

test_age_is_not_asked_of_what_a_controller_makes if {
	every text in ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"] {
		owned := [fixture.set(created_path, text), fixture.set("/metadata/ownerReferences", [{"kind": "ReplicaSet", "controller": true}])]
		denied(fixture.with_pod(owned)) == set()
		count(denied(fixture.with_pod(array.concat(owned, [fixture.set("/metadata/ownerReferences/0/controller", false)])))) == 1
	}
}

test_age_asks_the_clock if {
	old := fixture.review(fixture.changed(fixture.pod, [fixture.set(created_path, "2020-01-01T00:00:00Z")]))
	fixture.rules(model.violation) == {"model-old"} with input as old
}

# --- parameters -----------------------------------------------------------------------------

test_bounds_of_ones_own if {
	denied(fixture.with_parameters([fixture.set("/maxModelBytes", 7099999)])) == {"model-bytes-size"}
	denied(fixture.with_parameters([fixture.set("/maxAgeDays", 9)])) == {"model-old"}
	denied(fixture.with_parameters([fixture.set("/runtimeClasses", ["other"])])) == set()
}

test_bounds_left_out_allow_nothing if {
	denied(fixture.with_parameters([fixture.unset("/maxModelBytes")])) == {"model-bytes-size"}
	denied(fixture.with_parameters([fixture.unset("/maxAgeDays")])) == {"model-old"}
	denied(fixture.with_parameters([fixture.unset("/maxSkewMinutes")])) == set()
	denied({"review": fixture.review(fixture.pod).review, "parameters": {}}) == {"model-bytes-size", "model-old"}
}
