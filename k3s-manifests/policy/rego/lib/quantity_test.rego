package lib.quantity_test

import data.lib.quantity
import future.keywords.if
import future.keywords.in

# Thousandths as Kubernetes' own parser gives them (resource.ParseQuantity, MilliValue).
same := {
	"0": 0, "1": 1000, "+1": 1000, "-1": -1000, "007": 7000, "0.5": 500, ".5": 500, "5.": 5000,
	"500m": 500, "0.5m": 1, "1u": 1, "1n": 1, "1500u": 2, "2000000n": 2,
	"1k": 1000000, "1M": 1000000000, "1G": 1000000000000, "1T": 1000000000000000,
	"1Ki": 1024000, "1Mi": 1048576000, "1Gi": 1073741824000, "1Ti": 1099511627776000,
	"1.5Gi": 1610612736000, "0.1Ki": 102400, "512Mi": 536870912000,
	"128974848": 128974848000, "129e6": 129000000000, "129M": 129000000000,
	"1e3": 1000000, "1E3": 1000000, "1e+3": 1000000, "1e-3": 1, "25e-1": 2500, "1E": 1000000000000000000000,
	"1P": 1000000000000000000, "1Pi": 1125899906842624000, "1Ei": 1152921504606846976000,
	"0.0000000001": 1, "1.0001": 1001, "1.9": 1900, "-1.5": -1500, "-0.0001": -1,
}

test_quantities if {
	wrong := [{text: got} | some text, want in same; got := object.get({"r": quantity.milli(text)}, "r", "unreadable"); got != want]
	print(wrong)
	count(wrong) == 0
}

test_numbers_of_yaml if {
	quantity.milli(2) == 2000
	quantity.milli(0.5) == 500
	quantity.milli(134217728) == 134217728000
}

unreadable := [
	"", " ", ".", "m", "Gi", "1 Gi", "1gi", "1GI", "1K", "1mi", "1KiB", "1GB", "1e", "1e3m", "1e1000", "1ee3", "--1", "+-1",
	"1.2.3", "1,5", "0x10", "1_000", "Inf", "NaN", "one", "1Gi\n", "\n1Gi", "½", "1e3Ki", "1mm",
	"11111111111111111111111111111111111111111", null, true, [], {}, ["1"],
]

test_unreadable if {
	wrong := [text | some text in unreadable; quantity.readable(text)]
	print(wrong)
	count(wrong) == 0
}

test_sums_are_exact if {
	quantity.milli("1.9") + quantity.milli("100m") == quantity.milli("2")
	quantity.milli("700Mi") + quantity.milli("324Mi") == quantity.milli("1Gi")
	quantity.milli("1025Mi") > quantity.milli("1Gi")
	quantity.milli("1G") < quantity.milli("1Gi")
}

test_shown if {
	quantity.show("cpu", 2500) == "2500m"
	quantity.show("memory", quantity.milli("1Gi")) == "1024Mi"
	quantity.show("memory", quantity.milli("1Gi") + 1) == "1025Mi"
}
