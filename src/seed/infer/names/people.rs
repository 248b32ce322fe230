//! Nouns for people and what they do.

/// A noun for a person.
#[must_use]
pub fn is_person(noun: &str) -> bool {
    (is_role(noun) && noun != "account")
        || matches!(
            noun,
            "subscriber"
                | "attendee"
                | "passenger"
                | "visitor"
                | "resident"
                | "donor"
                | "donator"
                | "lead"
                | "prospect"
                | "borrower"
                | "reader"
                | "applicant"
                | "candidate"
                | "patient"
                | "student"
                | "teacher"
                | "instructor"
                | "doctor"
                | "nurse"
                | "driver"
                | "contact"
                | "client"
                | "guest"
                | "player"
                | "beneficiary"
                | "guardian"
                | "cardholder"
                | "signer"
                | "witness"
                | "volunteer"
                | "speaker"
                | "writer"
                | "artist"
                | "actor"
                | "director"
                | "agent"
                | "consignee"
        )
}

/// A noun for somebody who does something.
#[must_use]
pub fn is_role(noun: &str) -> bool {
    matches!(
        noun,
        "user"
            | "account"
            | "member"
            | "person"
            | "people"
            | "author"
            | "owner"
            | "creator"
            | "editor"
            | "assignee"
            | "assigner"
            | "approver"
            | "reviewer"
            | "sender"
            | "recipient"
            | "receiver"
            | "inviter"
            | "invitee"
            | "actor"
            | "requester"
            | "requestor"
            | "uploader"
            | "moderator"
            | "follower"
            | "followee"
            | "voter"
            | "buyer"
            | "seller"
            | "manager"
            | "admin"
            | "administrator"
            | "operator"
            | "submitter"
            | "reporter"
            | "participant"
            | "customer"
            | "employee"
            | "staff"
    )
}

/// `created_by`: who did it, and seldom the row's own person.
pub(super) fn is_actor(words: &[String]) -> bool {
    words.len() > 1 && words.last().is_some_and(|last| last == "by")
}
