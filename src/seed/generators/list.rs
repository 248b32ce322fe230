//! Short lists: what most systems draw from a few words that everybody knows.

use super::{Group, TextGenerator, put};
use crate::seed::types::binary;

pub(super) const GENDER: TextGenerator = TextGenerator {
    name: "gender",
    summary: "female, male, and now and then neither",
    group: Group::Alone,
    columns: &["gender", "sex"],
    numbers_itself: false,
    width: 5,
    write: |cell, out| {
        let share = cell.stream.below(100);
        put(
            out,
            if share < 49 {
                "female"
            } else if share < 97 {
                "male"
            } else {
                "other"
            },
        );
    },
};

pub(super) const GENDER_LETTER: TextGenerator = TextGenerator {
    name: "gender_letter",
    summary: "F, M and now and then X",
    group: Group::Alone,
    columns: &["gender_code", "sex_code"],
    numbers_itself: false,
    width: 1,
    write: |cell, out| {
        let share = cell.stream.below(100);
        put(
            out,
            if share < 49 {
                "F"
            } else if share < 97 {
                "M"
            } else {
                "X"
            },
        );
    },
};

pub(super) const SALUTATION: TextGenerator = TextGenerator {
    name: "salutation",
    summary: "what stands before a person's name",
    group: Group::Alone,
    columns: &[
        "salutation",
        "honorific",
        "name_prefix",
        "title_of_courtesy",
        "courtesy_title",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["Mr.", "Mr.", "Mr.", "Ms.", "Ms.", "Mrs.", "Dr.", "Prof."]),
        )
    },
};

pub(super) const NAME_SUFFIX: TextGenerator = TextGenerator {
    name: "name_suffix",
    summary: "what stands behind a person's name",
    group: Group::Alone,
    columns: &["name_suffix"],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&["Jr.", "Sr.", "II", "III", "PhD", "MD"]),
        )
    },
};

pub(super) const KIND: TextGenerator = TextGenerator {
    name: "kind",
    summary: "one of a few kinds of thing",
    group: Group::Alone,
    columns: &["type", "kind", "type_code", "variant", "subtype"],
    numbers_itself: false,
    width: 8,
    write: |cell, out| {
        const KINDS: &[&str] = &[
            "standard",
            "standard",
            "standard",
            "standard",
            "basic",
            "basic",
            "basic",
            "premium",
            "premium",
            "default",
            "custom",
            "internal",
            "external",
            "manual",
            "automatic",
            "special",
        ];
        put(out, cell.stream.pick(KINDS));
    },
};

pub(super) const CLASS_NAME: TextGenerator = TextGenerator {
    name: "class_name",
    summary: "what an id beside it is of, as frameworks write it",
    group: Group::Alone,
    columns: &[
        "class_name",
        "model_name",
        "entity_type",
        "resource_type",
        "object_type",
        "subject_type",
    ],
    numbers_itself: false,
    width: 6,
    write: |cell, out| {
        const CLASSES: &[&str] = &[
            "User", "User", "User", "Post", "Post", "Post", "Comment", "Comment", "Order", "Order",
            "Product", "Account", "Invoice", "Project", "Message",
        ];
        put(out, cell.stream.pick(CLASSES));
    },
};

pub(super) const ROLE: TextGenerator = TextGenerator {
    name: "role",
    summary: "what somebody may do",
    group: Group::Alone,
    columns: &[
        "role",
        "user_role",
        "member_role",
        "access_level",
        "permission_level",
    ],
    numbers_itself: false,
    width: 6,
    write: |cell, out| {
        const ROLES: &[&str] = &[
            "member", "member", "member", "member", "viewer", "editor", "editor", "admin", "owner",
        ];
        put(out, cell.stream.pick(ROLES));
    },
};

pub(super) const SCOPES: TextGenerator = TextGenerator {
    name: "scopes",
    summary: "what a token allows",
    group: Group::Alone,
    columns: &["scope", "scopes"],
    numbers_itself: false,
    width: 10,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "read",
                "read",
                "read write",
                "read write",
                "openid profile email",
                "admin",
            ]),
        );
    },
};

pub(super) const QUEUE: TextGenerator = TextGenerator {
    name: "queue",
    summary: "a queue of jobs",
    group: Group::Alone,
    columns: &["queue", "queue_name"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "default", "default", "default", "mailers", "critical", "low", "exports",
            ]),
        );
    },
};

pub(super) const MEASURE: TextGenerator = TextGenerator {
    name: "measure",
    summary: "a unit of measure",
    group: Group::Alone,
    columns: &[
        "unit",
        "units",
        "uom",
        "unit_of_measure",
        "unit_name",
        "measure",
        "measurement_unit",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "pcs", "pcs", "pcs", "kg", "g", "m", "l", "h", "box", "set", "pair",
            ]),
        )
    },
};

pub(super) const WEEKDAY: TextGenerator = TextGenerator {
    name: "weekday",
    summary: "a day of the week",
    group: Group::Alone,
    columns: &["weekday", "day_of_week", "day_name"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        const DAYS: &[&str] = &[
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ];
        put(out, cell.stream.pick(DAYS));
    },
};

pub(super) const PAYMENT_METHOD: TextGenerator = TextGenerator {
    name: "payment_method",
    summary: "how something is paid",
    group: Group::Alone,
    columns: &["payment_method", "payment_type", "method_of_payment"],
    numbers_itself: false,
    width: 9,
    write: |cell, out| {
        const METHODS: &[&str] = &[
            "card",
            "card",
            "card",
            "card",
            "paypal",
            "paypal",
            "bank_transfer",
            "invoice",
            "cash",
        ];
        put(out, cell.stream.pick(METHODS));
    },
};

pub(super) const CARD_BRAND: TextGenerator = TextGenerator {
    name: "card_brand",
    summary: "a payment card's brand",
    group: Group::Alone,
    columns: &["card_type", "card_brand", "credit_card_type"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "visa",
                "visa",
                "visa",
                "mastercard",
                "mastercard",
                "amex",
                "discover",
            ]),
        )
    },
};

pub(super) const CARRIER: TextGenerator = TextGenerator {
    name: "carrier",
    summary: "who carries parcels",
    group: Group::Alone,
    columns: &[
        "carrier",
        "shipper",
        "shipping_method",
        "ship_via",
        "shipvia",
        "shipping_carrier",
        "courier",
    ],
    numbers_itself: false,
    width: 4,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "DHL", "DHL", "UPS", "UPS", "FedEx", "USPS", "DPD", "GLS", "Post",
            ]),
        )
    },
};

pub(super) const HTTP_METHOD: TextGenerator = TextGenerator {
    name: "http_method",
    summary: "what a request asks for",
    group: Group::Alone,
    columns: &["http_method", "request_method", "verb"],
    numbers_itself: false,
    width: 4,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE",
            ]),
        )
    },
};

pub(super) const DIGEST_ALGORITHM: TextGenerator = TextGenerator {
    name: "digest_algorithm",
    summary: "how a digest is calculated",
    group: Group::Alone,
    columns: &[
        "algorithm",
        "algo",
        "hash_algorithm",
        "digest_algorithm",
        "checksum_type",
        "hash_type",
    ],
    numbers_itself: false,
    width: 6,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["sha256", "sha256", "sha512", "sha1", "md5"]),
        )
    },
};

pub(super) const LOG_LEVEL: TextGenerator = TextGenerator {
    name: "log_level",
    summary: "how loud a message is",
    group: Group::Alone,
    columns: &["log_level", "severity", "level"],
    numbers_itself: false,
    width: 5,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "info", "info", "info", "info", "debug", "debug", "warning", "error",
            ]),
        )
    },
};

pub(super) const SCHEDULE: TextGenerator = TextGenerator {
    name: "cron",
    summary: "when a job runs, as cron reads it",
    group: Group::Alone,
    columns: &["cron", "cron_expression", "crontab", "cron_schedule"],
    numbers_itself: false,
    width: 10,
    write: |cell, out| {
        binary::decimal(out, cell.stream.below(60));
        out.push(b' ');
        binary::decimal(out, cell.stream.below(24));
        put(
            out,
            cell.stream
                .pick(&[" * * *", " * * *", " * * 1-5", " * * 1", " 1 * *"]),
        );
    },
};

pub(super) const DURATION: TextGenerator = TextGenerator {
    name: "duration",
    summary: "a length of time, as PostgreSQL's interval and most languages read it",
    group: Group::Alone,
    columns: &[
        "duration",
        "interval",
        "window",
        "time_window",
        "frequency",
        "max_frequency",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["30s", "1m", "5m", "15m", "1h", "12h", "24h", "24h", "168h"]),
        );
    },
};

pub(super) const DEPARTMENT: TextGenerator = TextGenerator {
    name: "department",
    summary: "a part of a company",
    group: Group::Alone,
    columns: &["department", "department_name", "dept", "team", "division"],
    numbers_itself: false,
    width: 9,
    write: |cell, out| {
        const DEPARTMENTS: &[&str] = &[
            "Sales",
            "Marketing",
            "Engineering",
            "Finance",
            "Human Resources",
            "Support",
            "Operations",
            "Legal",
            "IT",
            "Purchasing",
            "Research",
            "Production",
        ];
        put(out, cell.stream.pick(DEPARTMENTS));
    },
};

pub(super) const LANGUAGE_NAME: TextGenerator = TextGenerator {
    name: "language_name",
    summary: "a language's English name",
    group: Group::Alone,
    columns: &["language_name", "english_name"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        const LANGUAGES: &[&str] = &[
            "English",
            "German",
            "French",
            "Spanish",
            "Italian",
            "Dutch",
            "Portuguese",
            "Polish",
            "Swedish",
            "Danish",
            "Norwegian",
            "Finnish",
            "Czech",
            "Hungarian",
            "Romanian",
            "Greek",
            "Turkish",
            "Russian",
            "Ukrainian",
            "Arabic",
            "Hebrew",
            "Persian",
            "Hindi",
            "Bengali",
            "Thai",
            "Vietnamese",
            "Indonesian",
            "Japanese",
            "Korean",
            "Chinese",
        ];
        put(out, cell.stream.pick(LANGUAGES));
    },
};

pub(super) const DEVICE: TextGenerator = TextGenerator {
    name: "device_type",
    summary: "what kind of device",
    group: Group::Alone,
    columns: &["device", "device_type", "form_factor"],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["mobile", "mobile", "mobile", "desktop", "desktop", "tablet"]),
        )
    },
};

pub(super) const PLATFORM: TextGenerator = TextGenerator {
    name: "platform",
    summary: "an operating system",
    group: Group::Alone,
    columns: &["platform", "os", "operating_system", "os_name"],
    numbers_itself: false,
    width: 6,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "iOS", "iOS", "Android", "Android", "Windows", "Windows", "macOS", "Linux",
            ]),
        );
    },
};

pub(super) const ACTION: TextGenerator = TextGenerator {
    name: "action",
    summary: "what was done",
    group: Group::Alone,
    columns: &[
        "action",
        "event",
        "event_type",
        "event_name",
        "activity",
        "operation",
        "activity_type",
    ],
    numbers_itself: false,
    width: 7,
    write: |cell, out| {
        const ACTIONS: &[&str] = &[
            "created",
            "created",
            "created",
            "updated",
            "updated",
            "updated",
            "updated",
            "viewed",
            "viewed",
            "viewed",
            "viewed",
            "deleted",
            "exported",
            "shared",
            "logged_in",
        ];
        put(out, cell.stream.pick(ACTIONS));
    },
};

pub(super) const EXTENSION: TextGenerator = TextGenerator {
    name: "file_extension",
    summary: "the end of a file's name",
    group: Group::Alone,
    columns: &[
        "extension",
        "file_extension",
        "ext",
        "file_type",
        "file_format",
    ],
    numbers_itself: false,
    width: 3,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "pdf", "pdf", "jpg", "jpg", "png", "png", "docx", "xlsx", "csv", "txt", "zip",
                "mp4",
            ]),
        );
    },
};

pub(super) const ENVIRONMENT: TextGenerator = TextGenerator {
    name: "environment",
    summary: "where something runs",
    group: Group::Alone,
    columns: &["environment", "env", "deployment_environment"],
    numbers_itself: false,
    width: 10,
    write: |cell, out| {
        put(
            out,
            cell.stream.pick(&[
                "production",
                "production",
                "production",
                "staging",
                "development",
            ]),
        )
    },
};

pub(super) const PRIORITY: TextGenerator = TextGenerator {
    name: "priority",
    summary: "how urgent something is",
    group: Group::Alone,
    columns: &["priority", "urgency", "importance"],
    numbers_itself: false,
    width: 6,
    write: |cell, out| {
        put(
            out,
            cell.stream
                .pick(&["low", "normal", "normal", "normal", "high", "urgent"]),
        )
    },
};
