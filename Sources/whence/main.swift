import Foundation

exit(Run.main())
