import unittest

from app import app


class AppTest(unittest.TestCase):
    def test_index_greets(self):
        answer = app.test_client().get("/")
        self.assertEqual(answer.status_code, 200)
        self.assertIn(b"@NAME@", answer.data)

    def test_health_check_answers(self):
        self.assertEqual(app.test_client().get("/healthz").status_code, 200)


if __name__ == "__main__":
    unittest.main()
