"""What the pages of the library ask of its database."""

from library.models import Book, Loan


def loans_of(reader_id):
    """A reader's open loans, the newest first."""
    return list(
        Loan.objects.filter(reader_id=reader_id, returned__isnull=True)
        .select_related("book")
        .order_by("-lent")[:20]
    )


def books_by(author):
    """An author's books."""
    return list(Book.objects.filter(author=author).order_by("title"))


def lend(book_id, reader_id, when):
    """Lends a book."""
    return Loan.objects.create(book_id=book_id, reader_id=reader_id, lent=when)
